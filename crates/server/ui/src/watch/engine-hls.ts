// HLS through hls.js with its worker as a file, since the page's policy allows no blob: worker. The light build, which
// is two thirds of the full one, but where there are sounds to choose from: it knows no audio groups.

import type HlsClass from 'hls.js';
import type { ErrorData } from 'hls.js';
import { bufferedEnd, loadScript, unsupported, type Engine, type EngineOptions, type Readings } from './engine';
import { pace } from './pace';

declare global {
  interface Window { Hls?: typeof HlsClass }
}

export const HLS_SCRIPT = '/assets/vendor/hls.light.min.js';
const HLS_FULL_SCRIPT = '/assets/vendor/hls.min.js';
const HLS_WORKER = '/assets/vendor/hls.worker.js';

/** Longest live delay believed from the wall clock; beyond it the clocks disagree. */
const MAX_CLOCK_DELAY_SECONDS = 120;

/** Without parts, too far behind is behind by this many target durations. */
const MAX_TARGETS_BEHIND = 10;

/** With more than this to play, a failing network is not yet the viewer's matter. */
const SPARE_SECONDS = 1.5;

/** What each script gave: both builds go by one name. */
const builds = new Map<string, typeof HlsClass>();

/** hls.js, in its full build for streams with sounds to choose from. */
export async function loadHls(withSounds: boolean): Promise<typeof HlsClass> {
  const script = withSounds ? HLS_FULL_SCRIPT : HLS_SCRIPT;
  await loadScript(script);
  const Hls = builds.get(script) ?? window.Hls;
  if (Hls === undefined) throw new Error('hls.js is not there');
  builds.set(script, Hls);
  return Hls;
}

/** Starts playing. `clockOffsetMs` is server minus browser time. */
export function startHls(Hls: typeof HlsClass, options: EngineOptions, clockOffsetMs: number): Engine {
  const { video, url, protocol, declared, emit } = options;
  const hls = new Hls({
    enableWorker: true,
    workerPath: HLS_WORKER,
    // Endless pages must not keep what was played.
    backBufferLength: 30,
    // hls.js plays faster with a second buffered only, which a viewer near a low latency edge never has: `keepPace` does.
    maxLiveSyncPlaybackRate: 1,
    // Parts, and requests that wait for them, where the playlist has them. How far to stay behind is the playlist's
    // to say (PART-HOLD-BACK, or three target durations): a count set here would override it.
    lowLatencyMode: true,
    startFragPrefetch: true,
    // One fast retry; longer trouble is the page's to show and count down.
    manifestLoadPolicy: { default: policy(6_000, 8_000, 0) },
    playlistLoadPolicy: { default: policy(6_000, 8_000, 2) },
    fragLoadPolicy: { default: policy(10_000, 30_000, 2) },
  });

  // Too far behind to play on: it then goes to the live edge at once. Near a low latency edge it makes up by speed for
  // about this distance and no more, or after seconds without a publisher viewers would stay behind by as many. Not among the
  // settings above, which hls.js takes only together with a distance of ours from the live edge.
  hls.on(Hls.Events.LEVEL_UPDATED, (_name, { details }) => {
    const hasParts = details.partTarget > 0 && details.partHoldBack > 0;
    hls.config.liveMaxLatencyDuration = hasParts
      ? 2 * details.partHoldBack + details.targetduration
      : MAX_TARGETS_BEHIND * details.targetduration;
  });

  // Who starts between two parts, or has stalled, is behind where the playlist wants it, and would stay there.
  const keepPace = () => {
    const details = hls.latestLevelDetails;
    const target = hls.targetLatency;
    if (details === null || target === null || !details.live) return;
    const rate = pace({
      behind: hls.latency, target, buffered: buffered(), part: details.partTarget, segment: details.targetduration,
    });
    if (video.playbackRate !== rate) video.playbackRate = rate;
  };
  video.addEventListener('timeupdate', keepPace);

  // Of each playlist that is read: picture and sound may be two.
  const recent = new Map<string, { bits: number; seconds: number }[]>();
  let recoveries = 0;
  let stopped = false;

  hls.on(Hls.Events.FRAG_LOADED, (_name, { frag, part }) => {
    const seconds = (part ?? frag).duration;
    const size = (part ?? frag).stats.total || (part ?? frag).stats.loaded;
    if (!(seconds > 0) || !(size > 0)) return;
    const own = recent.get(frag.type) ?? [];
    recent.set(frag.type, own);
    own.push({ bits: size * 8, seconds });
    while (own.length > 1 && sum(own.slice(1), 'seconds') >= 6) own.shift();
  });
  const tellSounds = () => {
    if (!stopped) options.onSounds({ names: hls.audioTracks.map(({ name }) => name), chosen: hls.audioTrack });
  };
  hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, tellSounds);
  hls.on(Hls.Events.AUDIO_TRACK_SWITCHING, tellSounds);
  hls.on(Hls.Events.BUFFER_EOS, () => { if (!stopped) emit({ type: 'finished' }); });
  hls.on(Hls.Events.ERROR, (_name, data) => {
    if (stopped || !data.fatal) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !isCodecError(data) && recoveries < 1) {
      recoveries += 1;
      hls.recoverMediaError();
      return;
    }
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR && buffered() > SPARE_SECONDS) {
      // What is buffered outlasts a short outage: keep playing it, and keep trying.
      window.setTimeout(() => { if (!stopped) hls.startLoad(); }, 1_000);
      return;
    }
    emit(explain(data));
  });

  hls.loadSource(url);
  hls.attachMedia(video);

  function buffered(): number {
    const end = bufferedEnd(video);
    return end === undefined ? 0 : end - video.currentTime;
  }

  function explain(data: ErrorData): Parameters<typeof emit>[0] {
    if (isCodecError(data)) {
      const named = unsupported(declared);
      return { type: 'failed', kind: 'codec', detail: (named.length > 0 ? named : declared).join(',') };
    }
    if (data.type === 'networkError' && data.details !== 'manifestParsingError') {
      const code = data.response?.code;
      return { type: 'lost', detail: code ? `${data.details} ${code}` : data.details };
    }
    return { type: 'failed', kind: 'media', detail: data.details };
  }

  return {
    protocol,
    readings(): Readings {
      const level = hls.levels[hls.currentLevel] ?? hls.levels[hls.loadLevel] ?? hls.levels[0];
      const codecs = [level?.videoCodec, level?.audioCodec].filter((codec) => typeof codec === 'string' && codec !== '') as string[];
      return {
        codecs: codecs.length > 0 ? codecs : declared,
        frameRate: level !== undefined && level.frameRate > 0 ? level.frameRate : undefined,
        bitrate: recent.size === 0 ? undefined
          : [...recent.values()].reduce((total, own) => total + sum(own, 'bits') / sum(own, 'seconds'), 0),
        latency: delay(),
      };
    },
    liveEdge: () => hls.liveSyncPosition ?? undefined,
    choose(index) { hls.audioTrack = index; },
    stop() {
      stopped = true;
      video.removeEventListener('timeupdate', keepPace);
      video.playbackRate = 1;
      hls.destroy();
    },
  };

  // From the publisher's wall clock (EXT-X-PROGRAM-DATE-TIME) where the playlist has one: the whole way, not
  // only the distance to the newest segment.
  function delay(): number | undefined {
    const date = hls.playingDate;
    if (date !== null) {
      const behind = (Date.now() + clockOffsetMs - date.getTime()) / 1000;
      if (behind > 0 && behind < MAX_CLOCK_DELAY_SECONDS) return behind;
    }
    return hls.latency > 0 ? hls.latency : undefined;
  }
}

function policy(firstByteMs: number, loadMs: number, retries: number) {
  const retry = { maxNumRetry: retries, retryDelayMs: 500, maxRetryDelayMs: 2_000 };
  return { maxTimeToFirstByteMs: firstByteMs, maxLoadTimeMs: loadMs, timeoutRetry: retry, errorRetry: retry };
}

function isCodecError(data: ErrorData): boolean {
  return data.details === 'manifestIncompatibleCodecsError'
    || data.details === 'bufferAddCodecError'
    || data.details === 'bufferIncompatibleCodecsError';
}

function sum<K extends string>(list: readonly Record<K, number>[], key: K): number {
  return list.reduce((total, item) => total + item[key], 0);
}
