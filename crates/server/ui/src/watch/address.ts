// What the page's own address says: which stream, and how to show it.
// `/watch/{app}/{stream}?muted=0&controls=0&proto=flv&lang=zh-CN`

import type { Protocol } from './protocol';

/** The page's address, understood. */
export interface Address {
  /** Application, decoded, e.g. `live`; may hold slashes. */
  app: string;
  /** Stream name, decoded, e.g. `cam1`. */
  stream: string;
  /** Preferred protocol; others follow when it cannot play. */
  protocol: Protocol;
  /** True unless `muted=0`: browsers start only muted video by themselves. */
  muted: boolean;
  /** False for a bare picture that fills its frame. */
  controls: boolean;
  /** Language asked for by `lang`, else undefined. */
  language: string | undefined;
  /** What lets in, to be repeated with the media: the rest of the page's query, `pwd=…`; may be empty. */
  credentials: string;
}

/** What of the query is for the page itself. */
const OWN_OPTIONS = ['proto', 'muted', 'controls', 'lang'];

const PREFIX = '/watch/';

/** Reads `path` and `query`; undefined when the path names no stream. */
export function parseAddress(path: string, query: string): Address | undefined {
  if (!path.startsWith(PREFIX)) return undefined;
  const parts = path.slice(PREFIX.length).replace(/\/+$/, '').split('/');
  if (parts.length < 2 || parts.some((part) => part === '')) return undefined;
  let decoded: string[];
  try {
    decoded = parts.map(decodeURIComponent);
  } catch {
    return undefined; // a stray % is no name
  }
  const params = new URLSearchParams(query);
  return {
    app: decoded.slice(0, -1).join('/'),
    stream: decoded[decoded.length - 1] ?? '',
    protocol: protocolOf(params.get('proto')),
    muted: !isOff(params.get('muted')),
    controls: !isOff(params.get('controls')),
    language: params.get('lang') ?? undefined,
    credentials: credentialsOf(query),
  };
}

/** Kept as written, not decoded and encoded again: a `+` in base64 must stay one. */
function credentialsOf(query: string): string {
  const parts = query.replace(/^\?/, '').split('&');
  return parts.filter((part) => part !== '' && !OWN_OPTIONS.includes(part.split('=')[0] ?? '')).join('&');
}

function protocolOf(word: string | null): Protocol {
  return word === 'flv' || word === 'ts' ? word : 'hls';
}

function isOff(word: string | null): boolean {
  return word === '0' || word === 'false' || word === 'no';
}

/** `live/cam1`, as people write it. */
export function nameOf(address: Address): string {
  return `${address.app}/${address.stream}`;
}

const EXTENSION: Record<Protocol, string> = { hls: '.m3u8', ts: '.ts.m3u8', flv: '.flv', native: '.m3u8' };

/** Path of the stream in `protocol`, encoded, starting with a slash, with what lets in as its query. */
export function mediaPath(address: Address, protocol: Protocol): string {
  const segments = [...address.app.split('/'), address.stream];
  const query = address.credentials === '' ? '' : `?${address.credentials}`;
  return `/${segments.map(encodeURIComponent).join('/')}${EXTENSION[protocol]}${query}`;
}

/** Where a publisher sends the stream, as its two fields. */
export interface PublishTarget {
  /** Goes into *Server*, e.g. `rtmp://host:1945/live`. */
  server: string;
  /** Goes into *Stream key*. */
  key: string;
}

/**
 * The publish target for `address`. `notice` is the text of the server's 404, which names the host and port of
 * its RTMP listener; without it the page's own host and the usual port are assumed.
 */
export function publishTarget(address: Address, hostname: string, notice = ''): PublishTarget {
  const named = /\brtmps?:\/\/[^\s/"'<>]+/.exec(notice)?.[0];
  const known = named !== undefined && !named.endsWith('//HOST') ? named : `rtmp://${hostname}`;
  return { server: `${known}/${address.app}`, key: address.stream };
}

/** The ffmpeg line that publishes a file to `target`. */
export function ffmpegLine(target: PublishTarget): string {
  return `ffmpeg -re -i FILE -c copy -f flv ${shellWord(`${target.server}/${target.key}`)}`;
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
