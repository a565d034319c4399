// One stream: its picture beside its figures, and what belongs to it.

import { useSignal } from '@preact/signals';
import { get, Refusal } from '../api/client';
import { useData } from '../api/data';
import type { ChannelDetail, Source, StreamDetail } from '../api/types';
import { ForbidDialog } from '../components/forbid-dialog';
import { Icon } from '../components/icon';
import { Menu, type Action } from '../components/menu';
import { Empty, Tabs } from '../components/parts';
import { Player } from '../components/player';
import { State } from '../components/state';
import { t } from '../i18n';
import { codeOf, dropPublisher, resume, stopChannel, streamPath } from '../model/actions';
import { health } from '../model/history';
import { clock, moment } from '../model/time';
import { hashOf, place, setQuery } from '../router';
import { EventsTab } from './channel/events';
import { Figures, HealthTab, sampleOf } from './channel/health';
import { PublishTab } from './channel/publish';
import { RecordingsTab } from './channel/recordings';
import { TargetsTab } from './channel/targets';
import { UrlsTab } from './channel/urls';

const TABS = ['health', 'urls', 'targets', 'recordings', 'events', 'publish'] as const;
type TabName = (typeof TABS)[number];

/** What the tabs know of the stream. */
export interface Known {
  name: string;
  detail: StreamDetail | undefined;
  source: Source | undefined;
  channel: ChannelDetail | undefined;
  reload: () => void;
}

/** Nothing, where the server says that there is no such thing. */
async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refusal && (error.status === 404 || error.reason === 'SERVICE_NOT_ENABLED')) return undefined;
    throw error;
  }
}

export function ChannelScreen({ name }: { name: string }) {
  const stream = useData(async (signal) => {
    const detail = await orNothing(get<StreamDetail>(streamPath(name), signal));
    if (detail !== undefined) health.note(name, performance.now() / 1000, sampleOf(detail));
    return { detail };
  }, [name], { everyMs: 1_000 });
  const plane = useData(async (signal) => {
    const source = await orNothing(get<Source>(`/v1/streams/${encodeURIComponent(codeOf(name))}`, signal));
    const id = source?.channel_id;
    const channel = id == null ? undefined : await orNothing(get<ChannelDetail>(`/v1/channels/${id}`, signal));
    return { source, channel };
  }, [name], { on: ['channel.', 'ingest.', 'target.', 'recording.'] });
  const forbidding = useSignal(false);
  const reload = () => { stream.reload(); plane.reload(); };

  const known: Known = { name, detail: stream.value.value?.detail, source: plane.value.value?.source, channel: plane.value.value?.channel, reload };
  const state = stateOf(known);
  const loaded = stream.value.value !== undefined && plane.value.value !== undefined;
  const tab = TABS.find((candidate) => candidate === place.value.query.tab) ?? 'health';
  return (
    <>
      <header class="heading channel-heading">
        <a class="icon-button" href={hashOf('live')} aria-label={t('channel.back')}><Icon name="back" /></a>
        <div class="heading-name">
          <h1 translate={false}>{known.channel?.name || name}</h1>
          <p class="dim">
            {known.channel !== undefined && <span translate={false}>{known.channel.name === '' ? '' : `${name} · `}{known.channel.room_id} / {known.channel.user_id} · </span>}
            {loaded ? <Sentence known={known} state={state} /> : ' '}
          </p>
        </div>
        <div class="heading-tools">
          {loaded && <State name={state} />}
          <Actions known={known} state={state} onForbid={() => { forbidding.value = true; }} />
        </div>
      </header>
      {loaded && known.detail === undefined && known.source === undefined
        ? <Empty icon="live" text={t('channel.unknown', { stream: name })}><PublishTab known={known} /></Empty>
        : (
          <div class="channel">
            <Player name={name} key={name} />
            <section class="channel-side">
              <Tabs
                label={t('channel.tabs')} chosen={tab} onChoose={(id) => setQuery({ tab: id })}
                tabs={TABS.map((id) => ({ id, name: t(`channel.tab.${id}`), count: many(known, id) }))}
              />
              <div class="tab-panel" role="tabpanel" aria-labelledby={`tab-${tab}`}>{loaded && <Panel tab={tab} known={known} />}</div>
            </section>
            {known.detail !== undefined && <Figures detail={known.detail} />}
          </div>
        )}
      {forbidding.value && <ForbidDialog name={name} onClose={() => { forbidding.value = false; reload(); }} />}
    </>
  );
}

function Panel({ tab, known }: { tab: TabName; known: Known }) {
  switch (tab) {
    case 'health': return <HealthTab known={known} />;
    case 'urls': return <UrlsTab known={known} />;
    case 'targets': return <TargetsTab known={known} />;
    case 'recordings': return <RecordingsTab known={known} />;
    case 'events': return <EventsTab known={known} />;
    case 'publish': return <PublishTab known={known} />;
  }
}

function many(known: Known, tab: TabName): number | undefined {
  if (tab === 'targets') return known.channel?.targets.length ?? known.detail?.targets.length;
  if (tab === 'recordings') return known.detail?.recordings.length;
  return undefined;
}

/** The control plane's ban goes before what the stream does. */
function stateOf({ detail, source, channel }: Known): string {
  if (source?.forbidden_until != null) return 'forbidden';
  return detail?.state ?? channel?.state ?? source?.state ?? 'ended';
}

/** The state as a sentence: since when, and what comes next. */
function Sentence({ known: { detail, source, channel }, state }: { known: Known; state: string }) {
  const whole = (value: number | null | undefined) => Math.round(value ?? 0);
  if (state === 'forbidden') return <>{t('sentence.forbidden', { time: moment(source?.forbidden_until, t.tag), reason: source?.forbid_reason || '–' })}</>;
  if (detail?.interrupted != null) {
    const { since_s, remaining_s, reason } = detail.interrupted;
    return <>{t('sentence.interrupted', { since: whole(since_s), rest: whole(remaining_s), reason })}</>;
  }
  if (state === 'live') return <>{t('sentence.live', { time: clock(detail?.uptime_s) })}</>;
  if (state === 'pending' || state === 'starting') return <>{t('sentence.pending')}</>;
  if (state === 'failed') return <>{t('sentence.failed', { reason: channel?.cause?.text ?? '–' })}</>;
  return <>{t('sentence.ended')}</>;
}

function Actions({ known, state, onForbid }: { known: Known; state: string; onForbid: () => void }) {
  const { name, detail, channel, source, reload } = known;
  const actions: Action[] = [];
  if (state === 'forbidden') actions.push({ name: t('action.resume'), icon: 'check', run: () => void resume(name).then(reload) });
  if (detail?.publisher != null) actions.push({ name: t('action.drop'), icon: 'drop', danger: true, run: () => void dropPublisher(name).then(reload) });
  if (channel !== undefined && channel.ended_at === null && state !== 'forbidden') {
    actions.push({ name: t('action.stop'), icon: 'stop', danger: true, run: () => void stopChannel(channel.channel_id, name).then(reload) });
  }
  if (source !== undefined && state !== 'forbidden') actions.push({ name: t('action.forbid'), icon: 'ban', danger: true, run: onForbid });
  return (
    <>
      <a class="button" href={`/watch/${name.split('/').map(encodeURIComponent).join('/')}`} target="_blank" rel="noopener"><Icon name="open" />{t('channel.watch')}</a>
      <Menu label={t('live.actions', { stream: name })} text={t('table.actions')} actions={actions} />
    </>
  );
}
