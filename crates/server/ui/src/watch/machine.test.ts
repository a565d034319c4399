import { describe, expect, it } from 'vitest';
import { backoffMs, begin, fallbackReason, step, type Effect, type Event, type Model } from './machine';
import { protocolOrder } from './protocol';

const ORDER = ['hls', 'flv'] as const;

/** Runs `events` from the beginning; the model and the effects of the last one. */
function run(...events: Event[]): { model: Model; effects: Effect[] } {
  let last = begin(ORDER);
  for (const event of events) last = step(last.model, event);
  return last;
}

const answer = (word: 'live' | 'missing' | 'forbidden' | 'refused' | 'unreachable', detail = ''): Event => ({ type: 'answer', answer: word, detail });
const LIVE = answer('live');
const FRAME: Event = { type: 'frame' };
const SILENCE: Event = { type: 'silence' };
const lost: Event = { type: 'lost', detail: 'closed' };
const codec = (detail: string): Event => ({ type: 'failed', kind: 'codec', detail });
const media: Event = { type: 'failed', kind: 'media', detail: 'bufferAppendError' };

describe('start', () => {
  it('asks before it loads a player', () => {
    expect(begin(ORDER)).toMatchObject({ model: { phase: 'loading', running: false }, effects: [{ type: 'ask', afterMs: 0, live: false }] });
  });

  it('plays when the stream is there', () => {
    expect(run(LIVE)).toMatchObject({ model: { phase: 'loading', running: true }, effects: [{ type: 'start', protocol: 'hls' }] });
    expect(run(LIVE, FRAME)).toMatchObject({ model: { phase: 'playing', played: true }, effects: [] });
  });

  it('waits and asks every two seconds while it is not, then starts by itself', () => {
    expect(run(answer('missing'))).toMatchObject({ model: { phase: 'waiting' }, effects: [{ type: 'ask', afterMs: 2000, live: false }] });
    expect(run(answer('missing'), answer('missing'), LIVE).effects).toEqual([{ type: 'start', protocol: 'hls' }]);
  });

  it('says so when the browser can play nothing', () => {
    expect(begin([])).toMatchObject({ model: { phase: 'error', trouble: 'no-player' }, effects: [] });
    expect(step(begin([]).model, { type: 'retry' }).effects).toEqual([]);
  });
});

describe('interruption', () => {
  it('keeps the player, asks only whether the publisher is there, and plays on', () => {
    const silent = run(LIVE, FRAME, SILENCE);
    expect(silent).toMatchObject({ model: { phase: 'interrupted', running: true }, effects: [{ type: 'ask', live: true }] });
    const still = step(silent.model, LIVE);
    expect(still).toMatchObject({ model: { phase: 'interrupted', running: true }, effects: [{ type: 'ask', afterMs: 5000, live: true }] });
    expect(step(still.model, FRAME).model.phase).toBe('playing');
  });

  it('becomes the end when the stream goes', () => {
    expect(run(LIVE, FRAME, SILENCE, answer('missing'))).toMatchObject({
      model: { phase: 'ended', running: false }, effects: [{ type: 'stop' }, { type: 'ask', live: true }],
    });
  });

  it('becomes an error when the server goes', () => {
    expect(run(LIVE, FRAME, SILENCE, answer('unreachable'))).toMatchObject({
      model: { phase: 'error', trouble: 'unreachable', running: false }, effects: [{ type: 'stop' }, { type: 'ask', afterMs: 2000 }],
    });
  });

  it('needs a picture first', () => {
    expect(run(LIVE, SILENCE).model.phase).toBe('loading');
  });

  it('ignores a late answer to a question asked before the picture came back', () => {
    const back = run(LIVE, FRAME, SILENCE, FRAME);
    expect(step(back.model, answer('missing'))).toEqual({ model: back.model, effects: [] });
  });
});

describe('end', () => {
  it('is told, and a new publisher starts it again', () => {
    const over = run(LIVE, FRAME, { type: 'ended' });
    expect(over).toMatchObject({ model: { phase: 'ended', running: false }, effects: [{ type: 'stop' }, { type: 'ask', afterMs: 5000, live: true }] });
    expect(step(over.model, answer('missing')).model.phase).toBe('ended');
    expect(step(over.model, LIVE).effects).toEqual([{ type: 'start', protocol: 'hls' }]);
  });

  it('is found out when the transport closes and the stream is gone', () => {
    const closed = run(LIVE, FRAME, lost);
    expect(closed).toMatchObject({ model: { phase: 'interrupted', running: false }, effects: [{ type: 'stop' }, { type: 'ask', afterMs: 0 }] });
    expect(step(closed.model, answer('missing')).model.phase).toBe('ended');
  });
});

describe('trouble with the connection', () => {
  it('reconnects with the last picture kept', () => {
    const again = step(run(LIVE, FRAME, lost).model, LIVE);
    expect(again).toMatchObject({ model: { phase: 'interrupted', running: true }, effects: [{ type: 'start', protocol: 'hls' }] });
  });

  it('gives a protocol up after three losses in a row, not after three in a day', () => {
    const third = run(LIVE, FRAME, lost, LIVE, lost, LIVE, lost);
    expect(third.effects).toEqual([{ type: 'stop' }, { type: 'start', protocol: 'flv' }]);
    expect(third.model.failures).toEqual([{ protocol: 'hls', kind: 'network', detail: 'closed' }]);
    const steady = run(LIVE, FRAME, lost, LIVE, lost, LIVE, FRAME, { type: 'steady' }, lost);
    expect(steady.model).toMatchObject({ index: 0, losses: 1 });
  });

  it('waits longer each time the server is not there, to 15 s', () => {
    expect([1, 2, 3, 4, 5, 50].map(backoffMs)).toEqual([2000, 4000, 8000, 15000, 15000, 15000]);
    expect(run(answer('unreachable'), answer('unreachable')).effects).toEqual([{ type: 'ask', afterMs: 4000, live: false }]);
  });

  it('tells apart a door that is closed', () => {
    expect(run(answer('forbidden')).model).toMatchObject({ phase: 'error', trouble: 'forbidden' });
  });

  it('forgets it all on retry', () => {
    const again = run(LIVE, media, media, { type: 'retry' });
    expect(again).toMatchObject({ model: { phase: 'loading', index: 0, failures: [] }, effects: [{ type: 'stop' }, { type: 'ask', afterMs: 0 }] });
  });
});

describe('fallback', () => {
  it('takes the next protocol and says why', () => {
    const next = run(LIVE, media);
    expect(next.effects).toEqual([{ type: 'stop' }, { type: 'start', protocol: 'flv' }]);
    expect(fallbackReason(step(next.model, FRAME).model)).toEqual({ protocol: 'hls', kind: 'media', detail: 'bufferAppendError' });
    expect(fallbackReason(run(LIVE, FRAME).model)).toBeUndefined();
  });

  it('asks for the next one when the server refuses the first', () => {
    const next = run(answer('refused', '415 HLS leaves out Speex'));
    expect(next).toMatchObject({ model: { index: 1, running: false, phase: 'loading' }, effects: [{ type: 'ask', afterMs: 0, live: false }] });
    expect(step(next.model, LIVE).effects).toEqual([{ type: 'start', protocol: 'flv' }]);
    expect(fallbackReason(step(next.model, LIVE).model)?.detail).toBe('415 HLS leaves out Speex');
  });

  it('ends in unsupported when a codec was the matter, without asking on', () => {
    expect(run(LIVE, codec('hvc1.1.6.L93.B0'), codec('hvc1'))).toMatchObject({
      model: { phase: 'unsupported', running: false }, effects: [{ type: 'stop' }],
    });
    expect(run(LIVE, codec('ac-3'), media).model.phase).toBe('unsupported');
  });

  it('ends in an error that tries again from the best protocol otherwise', () => {
    const end = run(LIVE, media, media);
    expect(end).toMatchObject({ model: { phase: 'error', trouble: 'failed', index: 0 }, effects: [{ type: 'stop' }, { type: 'ask', afterMs: 2000 }] });
    expect(end.model.failures).toHaveLength(2);
    expect(step(end.model, LIVE).model.failures).toEqual([]);
    // And it waits longer after each whole round.
    expect(step(step(step(end.model, LIVE).model, media).model, media).effects).toEqual([{ type: 'stop' }, { type: 'ask', afterMs: 4000, live: false }]);
  });

  it('ignores a player that was already replaced', () => {
    const waiting = run(answer('missing'));
    for (const event of [media, lost, FRAME, SILENCE, { type: 'ended' } as const]) {
      expect(step(waiting.model, event)).toEqual({ model: waiting.model, effects: [] });
    }
  });
});

describe('lower delay', () => {
  it('starts over with the other order', () => {
    const chosen = run(LIVE, FRAME, { type: 'choose', order: ['flv', 'hls'] });
    expect(chosen).toMatchObject({ model: { phase: 'loading', index: 0, order: ['flv', 'hls'] }, effects: [{ type: 'stop' }, { type: 'ask', afterMs: 0 }] });
    expect(step(chosen.model, LIVE).effects).toEqual([{ type: 'start', protocol: 'flv' }]);
  });
});

describe('the order of protocols', () => {
  const desktop = { mediaSource: true, nativeHls: false };
  it.each([
    ['hls', desktop, ['hls', 'flv']],
    ['flv', desktop, ['flv', 'hls']],
    ['ts', desktop, ['ts', 'hls', 'flv']],
    ['flv', { mediaSource: false, nativeHls: true }, ['native']],
    ['hls', { mediaSource: false, nativeHls: false }, []],
  ] as const)('for %s with %o', (preferred, abilities, order) => {
    expect(protocolOrder(preferred, abilities)).toEqual(order);
  });
});

it('every sequence of events keeps the model sound', () => {
  const events: Event[] = [
    LIVE, answer('missing'), answer('forbidden'), answer('refused'), answer('unreachable'),
    FRAME, { type: 'steady' }, SILENCE, { type: 'ended' }, lost, codec('ac-3'), media, { type: 'retry' }, { type: 'choose', order: ['flv', 'hls'] },
  ];
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0; // the same walk every time
    return (seed >>> 8) % below;
  };
  for (let walk = 0; walk < 500; walk += 1) {
    let { model, effects } = begin(ORDER);
    let running = false;
    let asking = true;
    for (let i = 0; i < 40; i += 1) {
      const event = events[random(events.length)]!;
      ({ model, effects } = step(model, event));
      for (const effect of effects) {
        if (effect.type === 'start') { expect(running).toBe(false); running = true; }
        if (effect.type === 'stop') running = false;
      }
      if (effects.length > 0) asking = effects.some((effect) => effect.type === 'ask');
      expect(model.running).toBe(running);
      expect(model.order[model.index]).toBeDefined();
      expect(effects.filter((effect) => effect.type === 'ask').length).toBeLessThan(2);
      if (model.phase === 'playing') expect(model.running).toBe(true);
      // Nothing gets stuck: a player runs, a question is open, or the viewer was told that it is over for good.
      expect(running || asking || model.phase === 'unsupported').toBe(true);
    }
  }
});
