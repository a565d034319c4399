// Usage rows as lists for plots: one time axis without holes, one list a group.

import type { UsageRow } from '../api/types';

export const SPANS = {
  day: { seconds: 86_400, granularity: '5m', step: 300 },
  week: { seconds: 7 * 86_400, granularity: '1h', step: 3_600 },
  month: { seconds: 30 * 86_400, granularity: '1d', step: 86_400 },
} as const;

export type Span = keyof typeof SPANS;

export interface Plotted {
  /** Unix seconds. */
  times: number[];
  groups: { name: string; values: number[] }[];
  from: number;
  to: number;
}

/** Sums `figure` by group on a whole axis from `from` to `to`; where nothing was used there is a zero. */
export function plotted(rows: readonly UsageRow[], span: Span, to: number, figure: (row: UsageRow) => number, most = 4): Plotted {
  const { seconds, step } = SPANS[span];
  const end = Math.floor(to / step) * step;
  const from = end - seconds + step;
  const times = Array.from({ length: Math.round(seconds / step) }, (_, index) => from + index * step);
  const sums = new Map<string, number[]>();
  for (const row of rows) {
    const index = Math.round((Date.parse(row.start) / 1000 - from) / step);
    if (index < 0 || index >= times.length) continue;
    let values = sums.get(row.group);
    if (values === undefined) sums.set(row.group, values = times.map(() => 0));
    values[index] = (values[index] ?? 0) + figure(row);
  }
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const groups = [...sums].map(([name, values]) => ({ name, values })).sort((a, b) => total(b.values) - total(a.values)).slice(0, most);
  return { times, groups, from, to: end };
}

/** The sum of some directions of a row. */
export function sumOf(map: Readonly<Record<string, number>>, names: readonly string[]): number {
  return Object.entries(map).reduce((sum, [name, value]) => (names.includes(name) ? sum + value : sum), 0);
}
