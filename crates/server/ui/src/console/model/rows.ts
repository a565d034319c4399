// What the Live screen lists: streams that carry media, and channels that wait for theirs or are forbidden.

import type { Channel, Source, StreamSummary } from '../api/types';

export type RowState = 'live' | 'interrupted' | 'pending' | 'starting' | 'failed' | 'forbidden';

export interface Row {
  /** `app/stream`. */
  name: string;
  state: RowState;
  channel: Channel | undefined;
  summary: StreamSummary | undefined;
  /** Of a forbidden stream: until when, RFC 3339. */
  forbiddenUntil: string | undefined;
}

/** Order of the states: what needs somebody comes first, what only waits last. */
const ORDER: readonly RowState[] = ['interrupted', 'live', 'starting', 'failed', 'pending', 'forbidden'];

/** One row a stream, in the order in which they are shown. */
export function rowsOf(streams: readonly StreamSummary[], channels: readonly Channel[], forbidden: readonly Source[]): Row[] {
  const rows = new Map<string, Row>();
  for (const summary of streams) {
    rows.set(summary.name, { name: summary.name, state: summary.state, channel: undefined, summary, forbiddenUntil: undefined });
  }
  // Newest first: an older channel of the same stream does not hide the present one.
  for (const channel of channels) {
    const row = rows.get(channel.stream);
    if (row?.channel !== undefined || channel.state === 'ended') continue;
    const state = row !== undefined && channel.state !== 'forbidden' ? row.state : channel.state;
    rows.set(channel.stream, { name: channel.stream, state, channel, summary: row?.summary, forbiddenUntil: undefined });
  }
  for (const source of forbidden) {
    const row = rows.get(source.stream);
    rows.set(source.stream, {
      name: source.stream, state: 'forbidden', channel: row?.channel, summary: row?.summary,
      forbiddenUntil: source.forbidden_until ?? undefined,
    });
  }
  return [...rows.values()].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.name < b.name ? -1 : 1));
}

/** What the filter lets through: `active` is all but forbidden, an empty state is all. */
export function filtered(rows: readonly Row[], state: string, search: string): Row[] {
  const words = search.toLowerCase().split(/\s+/).filter((part) => part !== '');
  return rows.filter((row) => {
    if (state === 'waiting' ? row.state !== 'pending' && row.state !== 'starting' && row.state !== 'failed' : state !== '' && row.state !== state) return false;
    const text = [row.name, row.channel?.name, row.channel?.room_id, row.channel?.user_id].join(' ').toLowerCase();
    return words.every((part) => text.includes(part));
  });
}

/** How many rows each filter shows. */
export function counts(rows: readonly Row[]): Record<string, number> {
  return Object.fromEntries(['', 'live', 'interrupted', 'waiting', 'forbidden'].map((state) => [state, filtered(rows, state, '').length]));
}
