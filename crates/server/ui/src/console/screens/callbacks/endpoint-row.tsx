// One endpoint: where, what, how well; and what can be done with it.

import { useSignal } from '@preact/signals';
import { ask, post } from '../../api/client';
import type { Webhook } from '../../api/types';
import { confirmed } from '../../components/dialog';
import { Menu } from '../../components/menu';
import { State } from '../../components/state';
import { doing } from '../../components/toast';
import { t } from '../../i18n';
import { moment } from '../../model/time';
import { EndpointDialog, SecretDialog } from './endpoint-dialog';

export function EndpointRow({ webhook, chosen, onChoose, onChange }: { webhook: Webhook; chosen: boolean; onChoose: () => void; onChange: () => void }) {
  const secret = useSignal<string | undefined>(undefined);
  const editing = useSignal(false);
  const path = `/v1/webhooks/${webhook.webhook_id}`;
  const active = webhook.state === 'active';
  const turn = () => doing(() => ask('PATCH', path, { body: { state: active ? 'disabled' : 'active' } })).then(onChange);
  const rotate = () => doing(async () => { secret.value = (await post<{ secret: string | null }>(`${path}:rotate-secret`, {})).secret ?? ''; });
  const remove = async () => {
    if (!await confirmed(t('callbacks.delete.title'), t('callbacks.delete.text', { url: webhook.url }), t('file.delete'))) return;
    if (await doing(() => ask('DELETE', path))) onChange();
  };
  const own = webhook.origin === 'api';
  return (
    <li class={`list-row endpoint${chosen ? ' chosen' : ''}`}>
      <button type="button" class="list-main endpoint-choose" data-webhook={webhook.webhook_id} aria-pressed={chosen} onClick={onChoose}>
        <span class="strong wrap" translate={false}>{webhook.url}</span>
        <span class="dim small"><span translate={false}>{webhook.profile} · {webhook.types.join(', ') || '*'}</span>{!own && <> · {t('targets.configured')}</>}</span>
        {webhook.failing_since !== null && <span class="small tone-warn">{t('callbacks.failing', { time: moment(webhook.failing_since, t.tag) })}</span>}
        {webhook.disabled_reason !== null && <span class="small tone-bad" translate={false}>{webhook.disabled_reason}</span>}
      </button>
      <State name={webhook.state} quiet />
      {own && (
        <Menu
          label={t('live.actions', { stream: webhook.url })}
          actions={[
            { name: t('callbacks.edit'), icon: 'pencil', run: () => { editing.value = true; } },
            { name: active ? t('callbacks.disable') : t('callbacks.enable'), icon: active ? 'pause' : 'play', run: () => void turn() },
            { name: t('callbacks.rotate'), icon: 'key', run: () => void rotate() },
            { name: t('file.delete'), icon: 'trash', danger: true, run: () => void remove() },
          ]}
        />
      )}
      {secret.value !== undefined && <SecretDialog secret={secret.value} profile={webhook.profile} onClose={() => { secret.value = undefined; onChange(); }} />}
      {editing.value && <EndpointDialog webhook={webhook} onClose={() => { editing.value = false; onChange(); }} />}
    </li>
  );
}
