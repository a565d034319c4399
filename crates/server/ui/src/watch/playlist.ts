// The few facts of an HLS multivariant playlist that the panel shows. hls.js parses playlists for itself;
// this reads them also when the browser plays HLS alone, or refuses the codecs before anything plays.

/** Facts of the first variant; undefined where the playlist does not say. */
export interface Variant {
  /** RFC 6381 strings. */
  codecs: string[];
  /** `FRAME-RATE`, frames per second. */
  frameRate: number | undefined;
  /** `AVERAGE-BANDWIDTH` or `BANDWIDTH`, bits per second. */
  bandwidth: number | undefined;
}

/** Whether there are sounds to choose from: `EXT-X-MEDIA` of audio (RFC 8216 §4.3.4.1). */
export function hasSounds(text: string): boolean {
  return text.split(/\r?\n/).some((line) => line.startsWith('#EXT-X-MEDIA:') && /[:,]TYPE=AUDIO(,|$)/.test(line));
}

/** Reads the first `EXT-X-STREAM-INF` (RFC 8216 §4.3.4.2) of `text`. */
export function firstVariant(text: string): Variant | undefined {
  const line = text.split(/\r?\n/).find((candidate) => candidate.startsWith('#EXT-X-STREAM-INF:'));
  if (line === undefined) return undefined;
  const attributes = new Map<string, string>();
  for (const [, name = '', value = ''] of line.slice(18).matchAll(/([A-Z0-9-]+)=("[^"]*"|[^,]*)/g)) {
    attributes.set(name, value.replace(/^"|"$/g, ''));
  }
  const number = (name: string) => {
    const value = Number(attributes.get(name));
    return Number.isFinite(value) && value > 0 ? value : undefined;
  };
  return {
    codecs: (attributes.get('CODECS') ?? '').split(',').map((codec) => codec.trim()).filter((codec) => codec !== ''),
    frameRate: number('FRAME-RATE'),
    bandwidth: number('AVERAGE-BANDWIDTH') ?? number('BANDWIDTH'),
  };
}
