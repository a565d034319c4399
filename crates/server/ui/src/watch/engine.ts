// One way of playing a stream into a <video>. The session holds at most one engine; everything an engine
// learns goes out through `emit`, nothing after `stop`.

import type { Failure } from './machine';
import type { Protocol } from './protocol';

/** What an engine can say about the stream; undefined where it does not know (yet). */
export interface Readings {
  /** RFC 6381 strings, video first. */
  codecs: readonly string[];
  /** Declared frames per second. */
  frameRate: number | undefined;
  /** Bits per second, measured over the last seconds where possible. */
  bitrate: number | undefined;
  /** Seconds behind the live edge. */
  latency: number | undefined;
}

export type EngineEvent =
  /** The server declared the end; what is buffered may still play. */
  | { type: 'finished' }
  | { type: 'lost'; detail: string }
  | { type: 'failed'; kind: Failure['kind']; detail: string };

/** Sounds to choose from, by name. */
export interface Sounds {
  names: readonly string[];
  /** Index of the one that is heard; -1 where none is. */
  chosen: number;
}

/** Nothing to choose. */
export const ONE_SOUND: Sounds = { names: [], chosen: -1 };

export interface Engine {
  readonly protocol: Protocol;
  /** Lets another sound be heard, where there are some. */
  choose?(index: number): void;
  readings(): Readings;
  /** Position of the live edge on the video's own clock, where one is known. */
  liveEdge(): number | undefined;
  /** Detaches from the video and closes every connection. */
  stop(): void;
}

export interface EngineOptions {
  video: HTMLVideoElement;
  /** Absolute address of the stream. */
  url: string;
  protocol: Protocol;
  /** Codec strings the playlist declared, for those engines that cannot tell. */
  declared: readonly string[];
  emit: (event: EngineEvent) => void;
  /** Told of the sounds, and of each change. */
  onSounds: (sounds: Sounds) => void;
}

/** End of the buffered range that holds `at` (or starts just after it), in seconds of the video's clock. */
export function bufferedEnd(video: HTMLVideoElement): number | undefined {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) - 0.1 <= currentTime && currentTime <= buffered.end(i)) return buffered.end(i);
  }
  return undefined;
}

/** Those of `codecs` that Media Source Extensions refuse here. */
export function unsupported(codecs: readonly string[]): string[] {
  const source = window.MediaSource ?? window.ManagedMediaSource;
  if (source === undefined) return [...codecs];
  return codecs.filter((codec) => {
    const types = /^(mp4a|opus|flac|ac-3|ec-3|mp3)/i.test(codec) ? ['audio/mp4'] : ['video/mp4'];
    return !types.some((type) => source.isTypeSupported(`${type}; codecs="${codec}"`));
  });
}

/** Loads a classic script of our own origin once; a failed load may be tried again. */
export function loadScript(src: string): Promise<void> {
  const known = scripts.get(src);
  if (known !== undefined) return known;
  const loading = new Promise<void>((resolve, reject) => {
    const element = document.createElement('script');
    element.src = src;
    element.onload = () => resolve();
    element.onerror = () => {
      scripts.delete(src);
      element.remove();
      reject(new Error(src));
    };
    document.head.append(element);
  });
  scripts.set(src, loading);
  return loading;
}

const scripts = new Map<string, Promise<void>>();
