// The relay: its version and addresses, the policy, exceptions to it, billing.

import { get } from '../api/client';
import { useData } from '../api/data';
import type { Server } from '../api/types';
import { CopyField } from '../../shared/copy-field';
import { Icon } from '../components/icon';
import { Figure, Heading, Shown } from '../components/parts';
import { t, word } from '../i18n';
import { bytes, count } from '../../shared/format';
import { fullMoment, moment } from '../model/time';
import { BillingCard } from './settings/billing';
import { PolicyEditor } from './settings/policy-editor';
import { RulesCard } from './settings/rules';

export function Settings() {
  const server = useData((signal) => get<Server>('/v1/server', signal), [], { everyMs: 10_000 });
  return (
    <>
      <Heading title={t('nav.settings')} />
      <div class="stack">
        <Shown of={server}>{(found) => <ServerCard server={found} />}</Shown>
        <PolicyEditor />
        <RulesCard />
        <BillingCard />
      </div>
    </>
  );
}

function ServerCard({ server }: { server: Server }) {
  const { hls } = server;
  return (
    <section class="card stack" aria-labelledby="server">
      <h2 id="server">{t('settings.server')}</h2>
      {server.missing.map((text) => <p key={text} class="note tone-warn"><Icon name="warn" /><span translate={false}>{text}</span></p>)}
      <dl class="figure-grid">
        <Figure name={t('settings.version')}>{server.version}</Figure>
        <Figure name={t('settings.started')}><span title={fullMoment(server.started_at, t.tag)}>{moment(server.started_at, t.tag)}</span></Figure>
        <Figure name={t('settings.mode')}>{word('mode', server.mode)}</Figure>
        <Figure name={t('settings.key')}>{server.key.name} ({server.key.scopes.join(', ')})</Figure>
        <Figure name="HLS">{hls.enabled ? `${hls.segments} × ${hls.segment_s} s${hls.low_latency ? `, LL ${hls.part_s} s` : ''}` : '–'}</Figure>
        <Figure name={t('settings.connections')}>{count(server.limits.connections_free, t.tag)}</Figure>
        <Figure name={t('settings.rate')}>{count(server.limits.api_rate, t.tag)}</Figure>
        <Figure name={t('settings.body')}>{bytes(server.limits.body_bytes, t.tag)}</Figure>
      </dl>
      <div class="pair-grid">
        <CopyField label="HTTP" value={server.http} t={t} />
        {server.rtmp !== null && <CopyField label="RTMP" value={server.rtmp} t={t} />}
      </div>
      {server.mode === 'open' && <p class="note"><Icon name="lock" /><span>{t('settings.open')}</span></p>}
      <p class="small links"><a href="/docs">{t('settings.docs')}</a> <a href="/openapi.json">OpenAPI</a> <a href="/metrics">{t('settings.metrics')}</a> <a href="/readyz">/readyz</a></p>
    </section>
  );
}
