// All push targets, those that have trouble first.

import { useSignal } from '@preact/signals';
import { get } from '../api/client';
import { useData } from '../api/data';
import type { Channel, HubTarget, Page, StreamDetail, StreamSummary, Target } from '../api/types';
import { Empty, Field, Heading, Shown } from '../components/parts';
import { t } from '../i18n';
import { all, streamPath } from '../model/actions';
import { joined, type TargetRow } from '../model/targets';
import { TargetForm } from './channel/targets';
import { TargetList } from './targets/list';

type Push = Target & { stream: string; push: HubTarget | null };

/** Streams with targets of the configuration that are looked at one by one. */
const MOST = 50;

async function rows(signal: AbortSignal): Promise<TargetRow[]> {
  const [wanted, streams] = await Promise.all([all<Push>('/v1/targets', signal), all<StreamSummary>('/v1/streams', signal)]);
  const found = wanted.flatMap((target) => joined(target.stream, target.channel_id, [target], target.push === null ? [] : [target.push]));
  const known = (name: string) => found.filter((row) => row.stream === name);
  const others = streams.filter(({ name, targets = 0 }) => targets > known(name).length).slice(0, MOST);
  const details = await Promise.all(others.map(({ name }) => get<StreamDetail>(streamPath(name), signal)));
  for (const detail of details) {
    const ids = new Set(known(detail.name).map(({ id }) => id));
    found.push(...joined(detail.name, undefined, [], detail.targets.filter(({ id }) => !ids.has(id))));
  }
  const calm = (row: TargetRow) => (row.state === 'running' || row.state === 'idle' ? 1 : 0);
  return found.sort((a, b) => calm(a) - calm(b) || (a.stream < b.stream ? -1 : 1));
}

export function Targets() {
  const targets = useData(rows, [], { everyMs: 2_000, on: ['target.', 'channel.'] });
  return (
    <>
      <Heading title={t('nav.targets')} />
      <Shown of={targets}>{(list) => (
        <div class="stack">
          {list.length === 0 ? <Empty icon="targets" text={t('targets.empty')} /> : <TargetList rows={list} onChange={targets.reload} />}
          <NewTarget onDone={targets.reload} />
        </div>
      )}</Shown>
    </>
  );
}

function NewTarget({ onDone }: { onDone: () => void }) {
  const channels = useData(async (signal) => {
    const lists = await Promise.all(['live', 'interrupted', 'pending'].map((state) => get<Page<Channel>>(`/v1/channels?state=${state}&limit=200`, signal)));
    return lists.flatMap(({ items }) => items);
  }, [], { on: ['channel.'] });
  const chosen = useSignal('');
  const list = channels.value.value ?? [];
  const id = list.some(({ channel_id }) => channel_id === chosen.value) ? chosen.value : list[0]?.channel_id;
  if (id === undefined) return <p class="dim">{t('targets.no-channel')}</p>;
  return (
    <section class="card stack" aria-labelledby="new-target">
      <h2 id="new-target">{t('targets.new')}</h2>
      <Field name={t('table.stream')}>
        <select value={id} onChange={(event) => { chosen.value = event.currentTarget.value; }}>
          {list.map(({ channel_id, name, stream }) => <option key={channel_id} value={channel_id} translate={false}>{name === '' ? stream : `${name} (${stream})`}</option>)}
        </select>
      </Field>
      <TargetForm channelId={id} onDone={onDone} />
    </section>
  );
}
