// What is on air: streams, those that are awaited or interrupted, those that are forbidden.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { access, get, Refusal } from '../api/client';
import { useData } from '../api/data';
import type { Channel, Page, Source, StreamSummary } from '../api/types';
import { ForbidDialog } from '../components/forbid-dialog';
import { Icon } from '../components/icon';
import { Choices, Empty, Heading, Shown } from '../components/parts';
import { PublishHelp } from '../components/publish-help';
import { t } from '../i18n';
import { all } from '../model/actions';
import { bitrates } from '../model/history';
import { counts, filtered, rowsOf, type Row } from '../model/rows';
import { learnRtmpBase, rtmpBase } from '../model/rtmp';
import { place, setQuery } from '../router';
import { store, stored } from '../stored';
import { StreamCard } from './live/card';
import { StreamTable } from './live/table';

/** States that a channel of this screen can be in; ended ones are not asked for. */
const STATES = ['pending', 'starting', 'live', 'interrupted', 'forbidden'] as const;

async function channels(signal: AbortSignal): Promise<Channel[]> {
  try {
    const found = await Promise.all(STATES.map((state) => all<Channel>(`/v1/channels?state=${state}`, signal)));
    return found.flat();
  } catch (error) {
    // Streams are shown also where the relay runs without a control plane.
    if (error instanceof Refusal && error.reason === 'SERVICE_NOT_ENABLED') return [];
    throw error;
  }
}

async function forbidden(signal: AbortSignal): Promise<Source[]> {
  try {
    return (await get<Page<Source>>('/v1/sources?forbidden=true&limit=500', signal)).items;
  } catch (error) {
    if (error instanceof Refusal && error.reason === 'SERVICE_NOT_ENABLED') return [];
    throw error;
  }
}

export function Live() {
  const streams = useData(async (signal) => {
    const found = await all<StreamSummary>('/v1/streams', signal);
    const now = performance.now() / 1000;
    for (const { name, bitrate_bps } of found) bitrates.note(name, now, [bitrate_bps]);
    return found;
  }, [], { everyMs: 1_000, on: ['ingest.', 'channel.'] });
  const known = useData(channels, [], { on: ['channel.', 'ingest.'] });
  const banned = useData(forbidden, [], { on: ['channel.', 'ingest.'] });
  const layout = useSignal<'cards' | 'table'>(stored('console.layout') === 'table' ? 'table' : 'cards');
  const forbidding = useSignal<string | undefined>(undefined);
  useEffect(() => { if (access.value === 'granted') void learnRtmpBase(); }, [access.value]);

  const { state = '', q = '' } = place.value.query;
  const choose = (chosen: 'cards' | 'table') => { layout.value = chosen; store('console.layout', chosen); };
  const reload = () => { streams.reload(); known.reload(); banned.reload(); };
  return (
    <>
      <Heading title={t('nav.live')}>
        <label class="search">
          <Icon name="search" />
          <span class="visually-hidden">{t('live.search')}</span>
          <input type="search" placeholder={t('live.search')} value={q} onInput={(event) => setQuery({ q: event.currentTarget.value })} />
        </label>
        <div class="choices icons" role="group" aria-label={t('live.layout')}>
          <button type="button" aria-pressed={layout.value === 'cards'} aria-label={t('live.cards')} title={t('live.cards')} onClick={() => choose('cards')}><Icon name="grid" /></button>
          <button type="button" aria-pressed={layout.value === 'table'} aria-label={t('live.table')} title={t('live.table')} onClick={() => choose('table')}><Icon name="rows" /></button>
        </div>
      </Heading>
      <Shown of={streams}>{(summaries) => {
        const rows = rowsOf(summaries, known.value.value ?? [], banned.value.value ?? []);
        if (rows.length === 0) return <NothingLive />;
        const shown = filtered(rows, state, q);
        return (
          <>
            <Filter rows={rows} state={state} />
            {shown.length === 0 ? <p class="dim nothing">{t('live.none-found')}</p> : layout.value === 'cards'
              ? <ul class="cards">{shown.map((row) => <li key={row.name}><StreamCard row={row} onForbid={(name) => { forbidding.value = name; }} onChange={reload} /></li>)}</ul>
              : <StreamTable rows={shown} onForbid={(name) => { forbidding.value = name; }} onChange={reload} />}
          </>
        );
      }}</Shown>
      {forbidding.value !== undefined && <ForbidDialog name={forbidding.value} onClose={() => { forbidding.value = undefined; reload(); }} />}
    </>
  );
}

function Filter({ rows, state }: { rows: readonly Row[]; state: string }) {
  const many = counts(rows);
  const ids = ['', 'live', 'interrupted', 'waiting', 'forbidden'] as const;
  const names = { '': t('filter.all'), live: t('is.live'), interrupted: t('is.interrupted'), waiting: t('filter.waiting'), forbidden: t('is.forbidden') };
  return (
    <Choices
      label={t('live.filter')} chosen={state as (typeof ids)[number]} onChoose={(id) => setQuery({ state: id })}
      choices={ids.map((id) => ({ id, name: names[id], count: many[id] }))}
    />
  );
}

function NothingLive() {
  return (
    <Empty icon="live" text={t('live.empty')}>
      <p class="dim">{t('live.empty.how')}</p>
      <PublishHelp server={`${rtmpBase.value}/live`} streamKey="me" />
    </Empty>
  );
}
