// Running figures for the panel, from counters that only grow. No clock of its own.

/** Rate of a growing counter over the last `windowSeconds` of a growing base (wall or media seconds). */
export class Meter {
  private readonly marks: { at: number; count: number }[] = [];

  constructor(private readonly windowSeconds: number) {}

  /** Notes that the counter stood at `count` at second `at`. Either going back starts anew. */
  note(at: number, count: number): void {
    const last = this.marks[this.marks.length - 1];
    if (last !== undefined && (at < last.at || count < last.count)) this.marks.length = 0;
    if (last !== undefined && at === last.at) return;
    this.marks.push({ at, count });
    while (this.marks.length > 2 && at - (this.marks[0]?.at ?? at) > this.windowSeconds) this.marks.shift();
  }

  /** Counts per second, or undefined before `minSeconds` were seen. */
  rate(minSeconds = 1): number | undefined {
    const first = this.marks[0];
    const last = this.marks[this.marks.length - 1];
    if (first === undefined || last === undefined || last.at - first.at < minSeconds) return undefined;
    return (last.count - first.count) / (last.at - first.at);
  }
}

const USUAL_RATES = [10, 12, 15, 20, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60, 90, 120];

/**
 * The usual frame rate within 2 % of a measured one, else the measured one. When `nominal` (what the stream
 * declares) is within 8 %, it wins: decoders work ahead in bursts, and counting cannot tell 29.97 from 30.
 */
export function usualRate(measured: number, nominal?: number): number {
  const near = (rate: number, share: number) => Math.abs(rate - measured) <= rate * share;
  if (nominal !== undefined && near(nominal, 0.08)) return nominal;
  return USUAL_RATES.filter((rate) => near(rate, 0.02)).sort((a, b) => Math.abs(a - measured) - Math.abs(b - measured))[0] ?? measured;
}
