// The last minutes of figures by stream, kept while the page is open: the API tells what is, not what was.

/** Samples of one figure, one a second; undefined where none was known. */
export interface Sample { at: number; values: readonly (number | undefined)[] }

const SECONDS = 300;
/** Histories of streams that nobody looked at for so long are dropped. */
const FORGET_S = 120;

export class History {
  private readonly series = new Map<string, Sample[]>();

  /** Notes the figures of `name` at second `at`. */
  note(name: string, at: number, values: readonly (number | undefined)[]): void {
    let samples = this.series.get(name);
    if (samples === undefined) this.series.set(name, samples = []);
    const last = samples[samples.length - 1];
    if (last !== undefined && at - last.at < 0.5) return;
    samples.push({ at, values });
    while (samples[0] !== undefined && at - samples[0].at > SECONDS) samples.shift();
    for (const [other, list] of this.series) {
      if (at - (list[list.length - 1]?.at ?? 0) > FORGET_S) this.series.delete(other);
    }
  }

  /** The samples of the last `seconds`. */
  last(name: string, seconds: number): readonly Sample[] {
    const samples = this.series.get(name) ?? [];
    const now = samples[samples.length - 1]?.at ?? 0;
    return samples.filter(({ at }) => now - at <= seconds);
  }
}

/** Bitrates of the Live screen. */
export const bitrates = new History();
/** Health of the streams that were opened. */
export const health = new History();
