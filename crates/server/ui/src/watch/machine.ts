// What the page is doing, as a state machine without clock, network or DOM.
//
//             live            frame             silence
//   loading ───────▶ (start) ───────▶ playing ◀────────▶ interrupted
//      │ missing                        │ ended            │ missing
//      ▼                                ▼                  ▼
//   waiting ──live──▶ (start)         ended ──live──▶ (start)
//
//   unreachable leads to `error`, which counts down and asks again; `failed` tries the next protocol and
//   ends in `unsupported` when all of them failed over a codec.
//
// `step` returns the next model and the effects for the session to carry out, in order. Exactly one
// question is open at a time: `ask` replaces any earlier one.

import type { Protocol } from './protocol';

/** Shown as `data-state` on the root element. */
export type Phase = 'loading' | 'waiting' | 'playing' | 'interrupted' | 'ended' | 'unsupported' | 'error';

/** Why a protocol was given up. */
export interface Failure {
  protocol: Protocol;
  /**
   * `codec`: the browser lacks it; `media`: it refused the data; `script`: the player did not load; `network`: it kept
   * breaking off; `refused`: the server does not give it.
   */
  kind: 'codec' | 'media' | 'script' | 'network' | 'refused';
  /** Codec names for `codec`, else the player's own words. */
  detail: string;
}

/** Why the page shows `error`. */
export type Trouble = 'unreachable' | 'forbidden' | 'failed' | 'no-player';

export interface Model {
  phase: Phase;
  /** Protocols to try, best first. */
  order: readonly Protocol[];
  /** Index in `order` of the one in use. */
  index: number;
  /** A player is attached. */
  running: boolean;
  /** A picture was seen since the stream was last missing. */
  played: boolean;
  /** What was given up since the order was chosen. */
  failures: readonly Failure[];
  /** Transports lost in a row without steady playing in between. */
  losses: number;
  /** Questions in a row that found no server; sets the pause. */
  retries: number;
  trouble: Trouble | undefined;
}

export type Event =
  /** The server's answer to a question. */
  | { type: 'answer'; answer: Verdict; detail?: string }
  /** The picture (or sound) moved on. */
  | { type: 'frame' }
  /** It moved on for ten seconds. */
  | { type: 'steady' }
  /** It stood still for a while although nobody paused it. */
  | { type: 'silence' }
  /** The stream was declared over and played to its end. */
  | { type: 'ended' }
  /** The transport broke off. */
  | { type: 'lost'; detail: string }
  /** This protocol cannot play the stream. */
  | { type: 'failed'; kind: Failure['kind']; detail: string }
  /** The viewer chose another order, or asked to try again. */
  | { type: 'choose'; order: readonly Protocol[] }
  | { type: 'retry' };

/** What a question found; `refused` is about the protocol asked for, the others about the stream or the server. */
export type Verdict = 'live' | 'missing' | 'forbidden' | 'refused' | 'unreachable';

export type Effect =
  | { type: 'start'; protocol: Protocol }
  | { type: 'stop' }
  /** Ask after `afterMs`; `live` means: only whether a publisher is there, not what HLS still holds. */
  | { type: 'ask'; afterMs: number; live: boolean };

export interface Step {
  model: Model;
  effects: Effect[];
}

/** Pause between questions while nothing is live. */
export const POLL_MS = 2_000;
/** Pause while the stream is interrupted or over. */
export const SLOW_POLL_MS = 5_000;
/** A protocol that lost its transport this often is given up. */
const MAX_LOSSES = 3;

/** The first step: ask whether the stream is there. */
export function begin(order: readonly Protocol[]): Step {
  const model: Model = {
    phase: 'loading', order, index: 0, running: false, played: false,
    failures: [], losses: 0, retries: 0, trouble: undefined,
  };
  if (order.length === 0) return { model: { ...model, phase: 'error', trouble: 'no-player' }, effects: [] };
  return { model, effects: [ask(0)] };
}

/** Protocol in use, or the one that will be. */
export function current(model: Model): Protocol | undefined {
  return model.order[model.index];
}

/** Pause before asking again after `retries` failures: 2, 4, 8, then 15 s. */
export function backoffMs(retries: number): number {
  return Math.min(15_000, 2_000 * 2 ** Math.max(0, retries - 1));
}

export function step(model: Model, event: Event): Step {
  switch (event.type) {
    case 'answer': return answered(model, event.answer, event.detail ?? '');
    case 'frame': {
      if (!model.running || model.phase === 'playing') return same(model);
      return { model: { ...model, phase: 'playing', played: true, retries: 0, trouble: undefined }, effects: [] };
    }
    case 'steady': return { model: { ...model, losses: 0 }, effects: [] };
    case 'silence': {
      if (model.phase !== 'playing') return same(model);
      return { model: { ...model, phase: 'interrupted' }, effects: [ask(POLL_MS, true)] };
    }
    case 'ended': {
      if (!model.running) return same(model);
      return over(model);
    }
    case 'lost': return lost(model, event.detail);
    case 'failed': return failed(model, event.kind, event.detail);
    case 'choose': {
      const next: Model = {
        ...model, order: event.order, index: 0, running: false, failures: [], losses: 0, trouble: undefined,
        phase: model.phase === 'waiting' ? 'waiting' : 'loading',
      };
      return { model: next, effects: [{ type: 'stop' }, ask(0)] };
    }
    case 'retry': {
      if (model.order.length === 0) return same(model);
      const next: Model = { ...model, index: 0, running: false, failures: [], losses: 0, trouble: undefined, phase: 'loading' };
      return { model: next, effects: [{ type: 'stop' }, ask(0)] };
    }
  }
}

function answered(model: Model, answer: Verdict, detail: string): Step {
  const protocol = current(model);
  if (protocol === undefined) return same(model);
  if (model.running) {
    // Only asked while interrupted: the player keeps its connection and continues by itself.
    if (model.phase !== 'interrupted') return same(model);
    if (answer === 'missing') return over(model);
    if (answer !== 'unreachable') return { model, effects: [ask(SLOW_POLL_MS, true)] };
  }
  switch (answer) {
    case 'live': {
      // After an interruption the last picture stays until the next one comes.
      const phase = model.phase === 'interrupted' ? 'interrupted' : 'loading';
      const failures = model.index === 0 ? [] : model.failures;
      return { model: { ...model, phase, failures, running: true, trouble: undefined }, effects: [{ type: 'start', protocol }] };
    }
    case 'missing': {
      if (model.played) return over(model);
      return { model: { ...model, phase: 'waiting', retries: 0, trouble: undefined }, effects: [ask(POLL_MS)] };
    }
    // The next protocol is asked for before it is started: it may be refused as well.
    case 'refused': return giveUp(model, { protocol, kind: 'refused', detail }, false);
    case 'forbidden':
    case 'unreachable': {
      const retries = model.retries + 1;
      const next: Model = { ...model, phase: 'error', running: false, retries, trouble: answer };
      const stop: Effect[] = model.running ? [{ type: 'stop' }] : [];
      return { model: next, effects: [...stop, ask(backoffMs(retries))] };
    }
  }
}

function over(model: Model): Step {
  const stop: Effect[] = model.running ? [{ type: 'stop' }] : [];
  return {
    model: { ...model, phase: 'ended', running: false, losses: 0, retries: 0, trouble: undefined },
    effects: [...stop, ask(SLOW_POLL_MS, true)],
  };
}

function lost(model: Model, detail: string): Step {
  if (!model.running) return same(model);
  const losses = model.losses + 1;
  if (losses >= MAX_LOSSES) return failed({ ...model, losses: 0 }, 'network', detail);
  const phase = model.phase === 'playing' ? 'interrupted' : model.phase;
  // The first question goes out at once: a stream that ended should say so, not look broken.
  return {
    model: { ...model, phase, running: false, losses },
    effects: [{ type: 'stop' }, ask((losses - 1) * 1_000)],
  };
}

function failed(model: Model, kind: Failure['kind'], detail: string): Step {
  const protocol = current(model);
  if (protocol === undefined || !model.running) return same(model);
  return giveUp(model, { protocol, kind, detail }, true);
}

/** Leaves the current protocol for the next one, or for the end of the list. */
function giveUp(model: Model, failure: Failure, startNext: boolean): Step {
  const failures = [...model.failures, failure];
  const index = model.index + 1;
  const next = model.order[index];
  const stop: Effect[] = model.running ? [{ type: 'stop' }] : [];
  if (next !== undefined) {
    const phase = model.phase === 'interrupted' ? 'interrupted' : 'loading';
    return {
      model: { ...model, failures, index, phase, running: startNext, losses: 0 },
      effects: [...stop, startNext ? { type: 'start', protocol: next } : ask(0)],
    };
  }
  if (failures.some(({ kind }) => kind === 'codec')) {
    return { model: { ...model, failures, running: false, phase: 'unsupported' }, effects: stop };
  }
  const retries = model.retries + 1;
  return {
    // The next round starts from the best protocol again; what failed is told until then.
    model: { ...model, failures, index: 0, running: false, phase: 'error', retries, trouble: 'failed' },
    effects: [...stop, ask(backoffMs(retries))],
  };
}

function ask(afterMs: number, live = false): Effect {
  return { type: 'ask', afterMs, live };
}

function same(model: Model): Step {
  return { model, effects: [] };
}

/** The failure to tell the viewer about while another protocol plays, if any. */
export function fallbackReason(model: Model): Failure | undefined {
  return model.index > 0 ? model.failures[model.failures.length - 1] : undefined;
}
