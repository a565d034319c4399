// The ways the page can play a stream, and the order in which it tries them.

/** HLS with fMP4, HLS with MPEG-TS, HTTP-FLV, or HLS by the browser itself. */
export type Protocol = 'hls' | 'ts' | 'flv' | 'native';

/** What this browser can do. */
export interface Abilities {
  /** Media Source Extensions, in either form (`ManagedMediaSource` on iPhones). */
  mediaSource: boolean;
  /** `<video src="….m3u8">` plays. */
  nativeHls: boolean;
}

/** Protocols to try, best first; empty when the browser can play none. */
export function protocolOrder(preferred: Protocol, abilities: Abilities): Protocol[] {
  if (!abilities.mediaSource) return abilities.nativeHls ? ['native'] : [];
  switch (preferred) {
    case 'flv': return ['flv', 'hls'];
    case 'ts': return ['ts', 'hls', 'flv'];
    case 'native': return abilities.nativeHls ? ['native', 'hls', 'flv'] : ['hls', 'flv'];
    case 'hls': return ['hls', 'flv'];
  }
}

/** Name in the panel; the same in every language. */
export const PROTOCOL_NAME: Record<Protocol, string> = {
  hls: 'HLS (fMP4)',
  ts: 'HLS (MPEG-TS)',
  flv: 'HTTP-FLV',
  native: 'HLS (browser)',
};
