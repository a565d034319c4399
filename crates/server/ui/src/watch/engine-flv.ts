// HTTP-FLV through mpegts.js, on the main thread: its worker would be a blob:, which the page's policy forbids.

import type Mpegts from 'mpegts.js';
import { bufferedEnd, unsupported, type Engine, type EngineOptions, type Readings } from './engine';
import { splitCodecs } from './codecs';
import { DEMUXER_THREW, flvLoader } from './flv-loader';

declare global {
  interface Window { mpegts?: typeof Mpegts }
}

export const FLV_SCRIPT = '/assets/vendor/mpegts.js';

/** Starts playing; `FLV_SCRIPT` must have loaded. */
export function startFlv(options: EngineOptions): Engine {
  const { video, url, protocol, emit } = options;
  const mpegts = window.mpegts;
  if (mpegts === undefined) throw new Error('mpegts.js is not there');
  mpegts.LoggingControl.enableAll = false;
  const player = mpegts.createPlayer({ type: 'flv', isLive: true, url }, {
    enableWorker: false,
    enableStashBuffer: false,
    lazyLoad: false,
    // A page that was opened in a background tab starts too.
    deferLoadAfterSourceOpen: false,
    autoCleanupSourceBuffer: true,
    autoCleanupMaxBackwardDuration: 30,
    autoCleanupMinBackwardDuration: 10,
    // What the server kept for late joiners is skipped in one jump, later delay is caught up gently.
    liveBufferLatencyChasing: true,
    liveBufferLatencyMaxLatency: 3,
    liveBufferLatencyMinRemain: 0.8,
    liveSync: true,
    liveSyncMaxLatency: 1.4,
    liveSyncTargetLatency: 0.9,
    liveSyncPlaybackRate: 1.1,
    customLoader: flvLoader(mpegts),
  }) as Mpegts.MSEPlayer;

  let stopped = false;
  const speeds: number[] = [];

  player.on(mpegts.Events.STATISTICS_INFO, (info: { speed?: number }) => {
    // Kilobytes per second of the last interval (0.6 s), averaged over about five seconds.
    if (info.speed === undefined) return;
    speeds.push(info.speed);
    if (speeds.length > 8) speeds.shift();
  });
  player.on(mpegts.Events.LOADING_COMPLETE, () => { if (!stopped) emit({ type: 'finished' }); });
  player.on(mpegts.Events.ERROR, (type: string, detail: string, info: { code?: number; msg?: string } | undefined) => {
    if (!stopped) emit(explain(type, detail, info));
  });

  player.attachMediaElement(video);
  player.load();

  function codecs(): string[] {
    // Absent tracks are null, whatever the type says.
    const info = player.mediaInfo as { videoCodec?: string | null; audioCodec?: string | null };
    return [info.videoCodec, info.audioCodec].filter((codec) => typeof codec === 'string' && codec !== '') as string[];
  }

  function explain(type: string, detail: string, info: { code?: number; msg?: string } | undefined): Parameters<typeof emit>[0] {
    if (info?.code === DEMUXER_THREW) return { type: 'failed', kind: 'media', detail: info.msg ?? detail };
    if (type === 'NetworkError') {
      return { type: 'lost', detail: info?.code !== undefined && info.code > 0 ? `${detail} ${info.code}` : detail };
    }
    const message = info?.msg ?? '';
    if (detail === 'CodecUnsupported') {
      return { type: 'failed', kind: 'codec', detail: flvCodec(message) };
    }
    // The browser refuses a codec by throwing when its source buffer is made; ours is the first guess.
    const refused = unsupported([...new Set([...codecs(), ...splitCodecs(/codecs="?([^"']+)/.exec(message)?.[1] ?? '')])]);
    if (refused.length > 0) return { type: 'failed', kind: 'codec', detail: refused.join(',') };
    return { type: 'failed', kind: 'media', detail };
  }

  return {
    protocol,
    readings(): Readings {
      const end = bufferedEnd(video);
      const average = speeds.reduce((total, speed) => total + speed, 0) / speeds.length;
      return {
        codecs: codecs(),
        frameRate: player.mediaInfo.fps ?? undefined,
        bitrate: speeds.length > 2 ? average * 1024 * 8 : undefined,
        latency: end === undefined ? undefined : end - video.currentTime,
      };
    },
    liveEdge() {
      const { buffered } = video;
      return buffered.length > 0 ? Math.max(0, buffered.end(buffered.length - 1) - 0.8) : undefined;
    },
    stop() {
      stopped = true;
      player.destroy();
    },
  };
}

// FLV's own codec numbers, for streams that no browser plays.
const AUDIO: Record<string, string> = { 0: 'PCM', 1: 'ADPCM', 3: 'PCM', 4: 'Nellymoser', 5: 'Nellymoser', 6: 'Nellymoser', 7: 'G.711 A-law', 8: 'G.711 µ-law', 11: 'Speex' };
const VIDEO: Record<string, string> = { 2: 'Sorenson H.263', 3: 'Screen video', 4: 'VP6', 5: 'VP6 alpha', 6: 'Screen video 2' };

/** Codec named in mpegts.js's message: a FourCC, or a number of the audio or video table. */
export function flvCodec(message: string): string {
  const value = /:\s*(\S+)\s*$/.exec(message)?.[1] ?? '';
  const table = /audio/i.test(message) ? AUDIO : VIDEO;
  return table[value] ?? value;
}
