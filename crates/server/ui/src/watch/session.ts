// The shell around the state machine: carries out its effects on one <video>, watches whether the picture
// moves, and holds what the page shows as signals. The only place that keeps time.

import { batch, signal, type Signal } from '@preact/signals';
import { mediaPath, type Address } from './address';
import { bufferedEnd, loadScript, ONE_SOUND, type Engine, type EngineEvent, type EngineOptions, type Sounds } from './engine';
import { FLV_SCRIPT, startFlv } from './engine-flv';
import { loadHls, startHls } from './engine-hls';
import { startNative } from './engine-native';
import { begin, current, step, type Effect, type Event, type Model, type Step } from './machine';
import { Meter, usualRate } from './meter';
import { firstVariant, hasSounds, type Variant } from './playlist';
import { protocolOrder, type Abilities, type Protocol } from './protocol';
import { question, type Answer } from './question';

/** The panel's values; undefined where not known. */
export interface Figures {
  codecs: readonly string[];
  width: number;
  height: number;
  /** Frames per second. */
  frameRate: number | undefined;
  /** Bits per second. */
  bitrate: number | undefined;
  /** Seconds behind the publisher, as far as the player can tell. */
  latency: number | undefined;
  /** Seconds ready to play. */
  buffer: number | undefined;
  dropped: number | undefined;
  total: number | undefined;
  protocol: Protocol | undefined;
}

const NO_FIGURES: Figures = {
  codecs: [], width: 0, height: 0, frameRate: undefined, bitrate: undefined, latency: undefined,
  buffer: undefined, dropped: undefined, total: undefined, protocol: undefined,
};

const TICK_MS = 250;
/** Standing still for so long without being paused is an interruption. */
const SILENCE_MS = 3_000;
const STEADY_MS = 10_000;
/** A player that shows nothing for so long after its start is taken for broken off. */
const FIRST_FRAME_MS = 20_000;
/** With a range buffered ahead, stillness of this length is a hole to step over. */
const HOLE_MS = 1_000;

export class Session {
  readonly model: Signal<Model>;
  readonly figures = signal<Figures>(NO_FIGURES);
  /** Whole seconds until the next question in `error`; undefined while one is under way. */
  readonly countdown = signal<number | undefined>(undefined);
  readonly paused = signal(false);
  readonly muted: Signal<boolean>;
  readonly volume = signal(1);
  /** The browser wants a click before it plays anything. */
  readonly blocked = signal(false);
  /** The canvas holds the last picture and should be seen. */
  readonly still = signal(false);
  /** Plays, but has no picture. */
  readonly audioOnly = signal(false);
  readonly sounds = signal<Sounds>(ONE_SOUND);
  /** The server's words about a stream that is not there. */
  readonly notice = signal('');

  private video: HTMLVideoElement | undefined;
  private canvas: HTMLCanvasElement | undefined;
  private engine: Engine | undefined;
  /** Grows with each start and stop, so that late answers of an earlier player are known as such. */
  private generation = 0;
  private variant: Variant | undefined;
  /** The last playlist had sounds to choose from. */
  private hasSounds = false;
  /** The sound that the viewer chose: it is chosen again when a player begins anew. */
  private sound: string | undefined;
  private clockOffsetMs = 0;

  private asking: AbortController | undefined;
  private askTimer: number | undefined;
  private askAt = 0;
  /** Put off until the tab is seen again. */
  private deferred: (() => void) | undefined;

  private ticking: number | undefined;
  private lastTick = 0;
  private lastPosition = -1;
  private stillMs = 0;
  private movingMs = 0;
  private steady = false;
  private finished = false;
  private lastFigures = 0;
  private frames = new Meter(5);

  constructor(private readonly address: Address, private readonly abilities: Abilities) {
    this.muted = signal(address.muted);
    const first = begin(protocolOrder(address.protocol, abilities));
    this.model = signal(first.model);
    this.first = first;
  }

  private readonly first: Step;

  /** Takes the elements and begins. */
  attach(video: HTMLVideoElement, canvas: HTMLCanvasElement): void {
    this.video = video;
    this.canvas = canvas;
    video.muted = this.muted.value;
    video.playsInline = true;
    video.addEventListener('volumechange', () => batch(() => {
      this.muted.value = video.muted;
      this.volume.value = video.volume;
    }));
    video.addEventListener('seeking', () => { this.frames = new Meter(5); });
    video.addEventListener('ended', () => { if (this.engine?.protocol === 'native') this.send({ type: 'ended' }); });
    document.addEventListener('visibilitychange', this.seen);
    this.lastTick = performance.now();
    this.ticking = window.setInterval(() => this.tick(), TICK_MS);
    this.carryOut(this.first.effects);
  }

  /** Ends it for good: nothing plays, nothing is asked any more. */
  close(): void {
    window.clearInterval(this.ticking);
    document.removeEventListener('visibilitychange', this.seen);
    this.forgetQuestion();
    this.stop();
    this.video = undefined;
  }

  private readonly seen = () => {
    if (document.hidden) return;
    const deferred = this.deferred;
    this.deferred = undefined;
    deferred?.();
  };

  // What the viewer may do.

  togglePlay(): void {
    const { video } = this;
    if (video === undefined) return;
    if (this.blocked.value || this.paused.value) {
      this.paused.value = false;
      this.play();
      this.goLive();
    } else {
      this.paused.value = true;
      video.pause();
    }
  }

  toggleMute(): void {
    if (this.video === undefined) return;
    this.video.muted = !this.video.muted;
    if (!this.video.muted && this.video.volume === 0) this.video.volume = 0.5;
  }

  setVolume(volume: number): void {
    if (this.video === undefined) return;
    this.video.volume = Math.min(1, Math.max(0, Math.round(volume * 100) / 100));
    this.video.muted = this.video.volume === 0;
  }

  /** Louder or softer by `step`; what is muted starts from silence. */
  changeVolume(step: number): void {
    const { video } = this;
    if (video !== undefined) this.setVolume((video.muted ? 0 : video.volume) + step);
  }

  /** Moves by `seconds` within what is still there; forward at most to the live edge. */
  seek(seconds: number): void {
    const { video } = this;
    if (video === undefined || video.seekable.length === 0) return;
    const start = video.buffered.length > 0 ? video.buffered.start(0) : video.seekable.start(0);
    const edge = this.engine?.liveEdge() ?? video.seekable.end(video.seekable.length - 1);
    const target = Math.max(start, video.currentTime + seconds);
    if (seconds < 0 || video.currentTime < edge) video.currentTime = seconds > 0 ? Math.min(edge, target) : target;
  }

  goLive(): void {
    const edge = this.engine?.liveEdge();
    if (this.video !== undefined && edge !== undefined && edge > this.video.currentTime + 1) this.video.currentTime = edge;
  }

  /** Lets the sound of this number be heard. */
  chooseSound(index: number): void {
    this.sound = this.sounds.value.names[index];
    this.engine?.choose?.(index);
  }

  prefer(protocol: Protocol): void {
    this.send({ type: 'choose', order: protocolOrder(protocol, this.abilities) });
  }

  retry(): void {
    this.send({ type: 'retry' });
  }

  // The machine and its effects.

  private send(event: Event): void {
    const next = step(this.model.value, event);
    batch(() => {
      this.model.value = next.model;
      this.carryOut(next.effects);
    });
  }

  private carryOut(effects: readonly Effect[]): void {
    // Any step that leads elsewhere makes an open question pointless; steps that keep it have no effects.
    if (effects.length > 0) this.forgetQuestion();
    for (const effect of effects) {
      if (effect.type === 'stop') this.stop();
      else if (effect.type === 'start') void this.start(effect.protocol);
      else this.ask(effect.afterMs, effect.live);
    }
  }

  private forgetQuestion(): void {
    window.clearTimeout(this.askTimer);
    this.asking?.abort();
    this.asking = undefined;
    this.deferred = undefined;
    this.askAt = 0;
    this.countdown.value = undefined;
  }

  private ask(afterMs: number, live: boolean): void {
    const now = () => { void this.askNow(live); };
    if (afterMs === 0) return now();
    this.askAt = performance.now() + afterMs;
    this.countdown.value = Math.ceil(afterMs / 1000);
    this.askTimer = window.setTimeout(() => {
      this.askAt = 0;
      this.countdown.value = undefined;
      // A page that nobody sees asks nothing.
      if (document.hidden) this.deferred = now;
      else now();
    }, afterMs);
  }

  private async askNow(live: boolean): Promise<void> {
    const protocol = current(this.model.value);
    if (protocol === undefined) return;
    const asking = new AbortController();
    this.asking = asking;
    const answer = await question(mediaPath(this.address, live ? 'flv' : protocol), asking);
    if (this.asking !== asking) return;
    this.asking = undefined;
    this.learn(answer);
    this.send({ type: 'answer', answer: answer.answer, detail: answer.answer === 'refused' ? answer.text : '' });
  }

  private learn(answer: Answer): void {
    if (answer.clockOffsetMs !== undefined) this.clockOffsetMs = answer.clockOffsetMs;
    if (answer.answer === 'missing') this.notice.value = answer.text;
    if (answer.answer !== 'live' || !answer.text.startsWith('#EXTM3U')) return;
    this.variant = firstVariant(answer.text);
    this.hasSounds = hasSounds(answer.text);
  }

  private async start(protocol: Protocol): Promise<void> {
    const { video } = this;
    if (video === undefined) return;
    const generation = this.generation += 1;
    this.resetProgress();
    let start: (options: EngineOptions) => Engine;
    try {
      start = await this.starter(protocol);
    } catch (error) {
      if (generation === this.generation) this.send({ type: 'failed', kind: 'script', detail: String(error) });
      return;
    }
    if (generation !== this.generation) return;
    const options: EngineOptions = {
      video,
      protocol,
      url: new URL(mediaPath(this.address, protocol), location.href).href,
      declared: this.variant?.codecs ?? [],
      emit: (event) => { if (generation === this.generation) this.heard(event, generation); },
      onSounds: (sounds) => { if (generation === this.generation) this.offered(sounds); },
    };
    try {
      this.engine = start(options);
    } catch (error) {
      this.send({ type: 'failed', kind: 'media', detail: error instanceof Error ? error.message : String(error) });
      return;
    }
    if (!this.paused.value) this.play();
  }

  /** What starts a player, once its script is there. */
  private async starter(protocol: Protocol): Promise<(options: EngineOptions) => Engine> {
    switch (protocol) {
      case 'flv':
        await loadScript(FLV_SCRIPT);
        return startFlv;
      case 'native':
        return (options) => startNative(options, { frameRate: this.variant?.frameRate, bitrate: this.variant?.bandwidth });
      case 'hls': case 'ts': {
        const Hls = await loadHls(this.hasSounds);
        return (options) => startHls(Hls, options, this.clockOffsetMs);
      }
    }
  }

  private offered(sounds: Sounds): void {
    this.sounds.value = sounds;
    const again = this.sound === undefined ? -1 : sounds.names.indexOf(this.sound);
    if (again < 0 || again === sounds.chosen) return;
    // Not from within the player's own event.
    const { generation } = this;
    window.setTimeout(() => { if (generation === this.generation) this.engine?.choose?.(again); });
  }

  private stop(): void {
    this.generation += 1;
    if (this.engine === undefined) return;
    this.keepPicture();
    this.engine.stop();
    this.engine = undefined;
    this.sounds.value = ONE_SOUND;
  }

  private heard(event: EngineEvent, generation: number): void {
    if (event.type === 'finished') this.finished = true;
    // A player must be through with its own calls, and the promises behind them, before it is destroyed.
    else window.setTimeout(() => { if (generation === this.generation) this.send(event); });
  }

  private play(): void {
    const { video } = this;
    if (video === undefined) return;
    video.play().then(() => { this.blocked.value = false; }, (error: unknown) => {
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return; // replaced by a newer start
      if (!video.muted) {
        video.muted = true;
        this.play();
      } else {
        this.blocked.value = true;
      }
    });
  }

  /** Draws what is on screen to the canvas, so that it stays when the player goes. */
  private keepPicture(): void {
    const { video, canvas } = this;
    if (video === undefined || canvas === undefined || video.readyState < 2 || video.videoWidth === 0) return;
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext('2d')?.drawImage(video, 0, 0);
    this.still.value = true;
  }

  // Does the picture move?

  private resetProgress(): void {
    this.lastPosition = -1;
    this.stillMs = 0;
    this.movingMs = 0;
    this.steady = false;
    this.finished = false;
    this.frames = new Meter(5);
  }

  private tick(): void {
    const now = performance.now();
    // A tab that slept has not been silent.
    const elapsed = Math.min(now - this.lastTick, 2 * TICK_MS);
    this.lastTick = now;
    if (this.askAt > 0) this.countdown.value = Math.max(1, Math.ceil((this.askAt - now) / 1000));
    const { video, engine } = this;
    if (video === undefined) return;
    if (engine !== undefined) this.watch(video, engine, elapsed);
    if (now - this.lastFigures >= 1_000) {
      this.lastFigures = now;
      this.measure(video, this.engine); // watching may have stopped it
    }
  }

  private watch(video: HTMLVideoElement, engine: Engine, elapsedMs: number): void {
    const quality = video.getVideoPlaybackQuality();
    // The decoder works ahead in a burst at first; counted from when that is over.
    if (this.movingMs >= 1_000) this.frames.note(video.currentTime, quality.totalVideoFrames);
    const shown = video.readyState >= 2 && (video.videoWidth === 0 || quality.totalVideoFrames > 0);
    const moved = shown && this.lastPosition >= 0 && video.currentTime !== this.lastPosition && !video.seeking;
    this.lastPosition = video.currentTime;
    if (moved || (shown && this.paused.value)) {
      this.stillMs = 0;
      batch(() => {
        this.still.value = false;
        this.audioOnly.value = video.videoWidth === 0;
        this.send({ type: 'frame' });
      });
      this.movingMs += elapsedMs;
      if (!this.steady && this.movingMs >= STEADY_MS) {
        this.steady = true;
        this.send({ type: 'steady' });
      }
    } else if (!this.blocked.value && !this.paused.value) {
      this.stillMs += elapsedMs;
      if (engine.protocol === 'flv' && this.stillMs >= HOLE_MS) this.stepOverHole(video);
      if (this.stillMs >= SILENCE_MS) this.send({ type: 'silence' });
    }
    if (this.finished && (video.ended || bufferedEnd(video) === undefined || this.stillMs >= 1_500)) {
      // HLS says that a stream is over; an FLV response that ends may as well be a server that restarts.
      this.send(engine.protocol === 'flv' ? { type: 'lost', detail: 'closed' } : { type: 'ended' });
    } else if (this.model.value.phase === 'loading' && this.stillMs >= FIRST_FRAME_MS) {
      this.send({ type: 'lost', detail: 'no data' });
    }
  }

  /** After a gap in the stream's time the next range begins further on. */
  private stepOverHole(video: HTMLVideoElement): void {
    for (let i = 0; i < video.buffered.length; i += 1) {
      const start = video.buffered.start(i);
      if (start > video.currentTime) {
        video.currentTime = start + 0.05;
        return;
      }
    }
  }

  private measure(video: HTMLVideoElement, engine: Engine | undefined): void {
    if (engine === undefined) {
      if (this.figures.value.protocol !== undefined) this.figures.value = NO_FIGURES;
      return;
    }
    const quality = video.getVideoPlaybackQuality();
    const readings = engine.readings();
    const nominal = readings.frameRate ?? this.variant?.frameRate;
    const counted = this.frames.rate(2);
    const end = bufferedEnd(video);
    this.figures.value = {
      codecs: readings.codecs,
      width: video.videoWidth,
      height: video.videoHeight,
      frameRate: video.videoWidth === 0 ? undefined : counted !== undefined && counted > 0 ? usualRate(counted, nominal) : nominal,
      bitrate: readings.bitrate,
      // A picture that stands still falls behind without end.
      latency: this.model.value.phase === 'playing' ? readings.latency : undefined,
      buffer: end === undefined ? undefined : Math.max(0, end - video.currentTime),
      dropped: quality.droppedVideoFrames,
      total: quality.totalVideoFrames,
      protocol: engine.protocol,
    };
  }
}

/** What the browser at hand can play. */
export function detectAbilities(): Abilities {
  return {
    mediaSource: window.MediaSource !== undefined || window.ManagedMediaSource !== undefined,
    nativeHls: document.createElement('video').canPlayType('application/vnd.apple.mpegurl') !== '',
  };
}
