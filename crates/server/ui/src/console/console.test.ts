import { describe, expect, it } from 'vitest';
import jsQR from 'jsqr';
import en from '../i18n/console.en.json';
import player from '../i18n/en.json';
import zhCN from '../i18n/console.zh-CN.json';
import type { Channel, HubTarget, Source, StreamSummary, Target, UsageRow } from './api/types';
import { sentence } from './api/client';
import { EventParser } from './api/events';
import { curl } from './model/curl';
import { seqOf } from './model/event-id';
import { History } from './model/history';
import { GROUPS, patchOf, valueAt, withValue } from './model/policy';
import { qr } from './model/qr';
import { counts, filtered, rowsOf } from './model/rows';
import { joined } from './model/targets';
import { clock, moment, secondsUntil } from './model/time';
import { plotted, sumOf } from './model/usage';
import { hashOf, parsePlace } from './router';

describe('languages', () => {
  const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

  it('have the same keys in the same order', () => {
    expect(Object.keys(zhCN)).toEqual(Object.keys(en));
  });

  it('have the same values to fill in, and no empty text', () => {
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(placeholders(zhCN[key]), key).toEqual(placeholders(en[key]));
      expect(en[key].trim(), key).not.toBe('');
      expect(zhCN[key].trim(), key).not.toBe('');
    }
  });

  it('do not take the place of the player\'s', () => {
    expect(Object.keys(en).filter((key) => key in player)).toEqual([]);
  });
});

describe('addresses', () => {
  it('hold screen, stream, filter and tab', () => {
    const hash = hashOf('channel', 'live/caf\u00e9 1', { tab: 'urls', q: '' });
    expect(hash).toBe('#/channel/live/caf%C3%A9%201?tab=urls');
    expect(parsePlace(hash)).toEqual({ screen: 'channel', rest: 'live/caf\u00e9 1', query: { tab: 'urls' } });
  });

  it('lead to the first screen when they are not ours', () => {
    for (const hash of ['', '#', '#/nowhere/x', '#key=abc']) expect(parsePlace(hash).screen, hash).toBe('live');
    expect(parsePlace('#/channel/live/%ff').rest).toBe('live/%ff');
    expect(parsePlace('#/live?q=a%3Fb').query).toEqual({ q: 'a?b' });
  });
});

describe('events', () => {
  it('are put together from any pieces', () => {
    const text = ': events follow\n\nid: evt_1\nevent: a.b\ndata: {"x":1}\n\n: still here\n\nid: evt_2\nevent: a.c\ndata: {}\n\n';
    const whole = [{ id: 'evt_1', data: '{"x":1}' }, { id: 'evt_2', data: '{}' }];
    for (let size = 1; size <= text.length; size += 1) {
      const parser = new EventParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      expect(found, `pieces of ${size}`).toEqual(whole);
    }
  });
});

describe('problems', () => {
  it('name each wrong field', () => {
    expect(sentence({ status: 404, reason: 'X', detail: 'no stream live/cam1', errors: [] })).toBe('no stream live/cam1');
    const errors = [{ pointer: '/channel/name', detail: 'is too long' }, { parameter: 'cursor', detail: 'is odd' }];
    expect(sentence({ status: 422, reason: 'X', detail: 'two fields', errors })).toBe('channel.name is too long; cursor is odd');
  });
});

const summary = (name: string, state: 'live' | 'interrupted' = 'live') => ({ name, state, viewers: 1 }) as StreamSummary;
const channel = (stream: string, state: string, more: Partial<Channel> = {}) => ({ stream, state, name: '', room_id: 'r1', user_id: 'u1', ...more }) as Channel;

describe('rows', () => {
  it('join streams, channels and bans, what needs somebody first', () => {
    const rows = rowsOf(
      [summary('live/b'), summary('live/a'), summary('live/c', 'interrupted')],
      [channel('live/a', 'live', { name: 'Lesson' }), channel('live/a', 'ended'), channel('live/w', 'pending'), channel('live/x', 'ended'), channel('live/f', 'forbidden')],
      [{ stream: 'live/f', forbidden_until: '2026-11-22T00:00:00Z' } as Source],
    );
    expect(rows.map(({ name, state }) => `${name} ${state}`)).toEqual(['live/c interrupted', 'live/a live', 'live/b live', 'live/w pending', 'live/f forbidden']);
    expect(rows[1]?.channel?.name).toBe('Lesson');
    expect(rows[4]?.forbiddenUntil).toBe('2026-11-22T00:00:00Z');
  });

  it('are filtered by state and by words of name, room and user', () => {
    const rows = rowsOf([summary('live/cam1')], [channel('live/cam2', 'pending', { name: 'Lesson' })], []);
    const names = (state: string, search: string) => filtered(rows, state, search).map(({ name }) => name);
    expect(names('', '')).toEqual(['live/cam1', 'live/cam2']);
    expect(names('waiting', '')).toEqual(['live/cam2']);
    expect(names('live', 'CAM')).toEqual(['live/cam1']);
    expect(names('', 'u1 less')).toEqual(['live/cam2']);
    expect(counts(rows)).toEqual({ '': 2, live: 1, interrupted: 0, waiting: 1, forbidden: 0 });
  });
});

describe('push targets', () => {
  it('say why and when next, also those of the configuration', () => {
    const wanted = [{ target_id: 'tgt_1', name: 'mirror', url: 'rtmp://a/****', state: 'recovering', last_error: 'old', since: 'x' } as Target];
    const push = (id: string, more: Partial<HubTarget>) => ({ id, url: 'rtmp://b/****', state: 'waiting', reason: null, retry_in_s: null, attempts: 1, bytes_out: 5, skips: 0, ...more });
    const rows = joined('live/a', '7', wanted, [push('tgt_1', { reason: 'refused', retry_in_s: 3.2, attempts: 4 }), push('push-0', { state: 'live' })]);
    expect(rows.map(({ id, state, reason, retryIn, channelId }) => [id, state, reason, retryIn, channelId]))
      .toEqual([['tgt_1', 'recovering', 'refused', 3.2, '7'], ['push-0', 'running', undefined, undefined, undefined]]);
  });
});

describe('histories', () => {
  it('keep one value a second for five minutes, by stream', () => {
    const history = new History();
    for (let at = 0; at <= 400; at += 0.4) history.note('a', at, [at]);
    history.note('b', 400, [1]);
    const kept = history.last('a', 1_000);
    expect(kept[0]?.at).toBeGreaterThanOrEqual(99);
    expect(kept.length).toBeLessThan(400);
    expect(history.last('a', 60).every(({ at }) => at >= 339)).toBe(true);
    history.note('b', 600, [2]);
    expect(history.last('a', 1_000)).toEqual([]);
  });
});

describe('times', () => {
  it('are written as clocks', () => {
    expect([0, 59.9, 61, 3_661, 90_061, undefined, -1].map((value) => clock(value))).toEqual(['0:00:00', '0:00:59', '0:01:01', '1:01:01', '1 d 01:01', '–', '–']);
  });

  it('leave the day out today', () => {
    const at = new Date(2026, 10, 22, 9, 5, 7);
    expect(moment(at.toISOString(), 'en-GB', at)).toBe('09:05:07');
    expect(moment(at.toISOString(), 'en-GB', new Date(2026, 10, 23))).toBe('22 Nov, 09:05');
    expect(moment(null, 'en')).toBe('–');
    expect(secondsUntil('2026-11-22T00:00:10Z', Date.parse('2026-11-22T00:00:04Z'))).toBe(6);
  });
});

describe('curl', () => {
  it('can be pasted into a shell', () => {
    expect(curl('POST', '/v1/rooms/8001/channels', { user_id: "o'neil" }, 'http://localhost:8080', true))
      .toBe(`curl -H 'Authorization: Bearer KEY' -d '{"user_id":"o'\\''neil"}' http://localhost:8080/v1/rooms/8001/channels`);
    expect(curl('DELETE', '/v1/rooms/a&b', undefined, 'http://x', false)).toBe("curl -X DELETE 'http://x/v1/rooms/a&b'");
  });
});

describe('the policy', () => {
  const before = { auto_bypass: { enabled: true, sources: ['main'] }, reconnect_window_s: 60, etag: '"1"' };

  it('is changed by a patch of what differs', () => {
    expect(patchOf(before, before)).toEqual({});
    const after = withValue(withValue(before, 'auto_bypass.enabled', false), 'reconnect_window_s', 30);
    expect(patchOf(before, after)).toEqual({ auto_bypass: { enabled: false }, reconnect_window_s: 30 });
    expect(before.auto_bypass.enabled).toBe(true);
    expect(valueAt(after, 'auto_bypass.sources')).toEqual(['main']);
    expect(valueAt(after, 'auto_record.enabled')).toBeUndefined();
  });

  it('has a message for each field and each word', () => {
    for (const { fields } of GROUPS) for (const { path, field } of fields) {
      expect(en, path).toHaveProperty([`policy.${path}`]);
      for (const word of field.kind === 'word' ? field.words : []) expect(en, word).toHaveProperty([`policy.word.${word}`]);
    }
  });
});

describe('usage', () => {
  it('lies on an axis without holes, the largest groups first', () => {
    const to = Date.parse('2026-11-22T00:07:00Z') / 1000;
    const row = (start: string, group: string, out: number) => ({ start, group, bytes: { out, in: 1 } }) as unknown as UsageRow;
    const rows = [row('2026-11-22T00:05:00.000Z', 'hls', 300), row('2026-11-22T00:00:00.000Z', 'rtmp', 5), row('2026-11-22T00:05:00.000Z', 'rtmp', 7), row('2020-01-01T00:00:00.000Z', 'old', 9)];
    const found = plotted(rows, 'day', to, ({ bytes }) => sumOf(bytes, ['out', 'push']));
    expect([found.times.length, found.to - found.from, found.times[287]]).toEqual([288, 86_400 - 300, to - 120]);
    expect(found.groups.map(({ name, values }) => [name, values.slice(-3)])).toEqual([['hls', [0, 0, 300]], ['rtmp', [0, 5, 7]]]);
    expect(plotted([], 'month', to, () => 1).times.length).toBe(30);
  });
});

describe('event ids', () => {
  it('hold their place in the log', () => {
    expect(seqOf('evt_01M809Q3ZQ0000000000000001')).toBe(1n);
    expect(seqOf('evt_01M809Q3ZQ000000000000001A')).toBe(42n);
    expect(seqOf('evt_7ZZZZZZZZZZZZZZZZZZZZZZZZZ')).toBe(2n ** 64n - 1n);
    for (const odd of ['', 'evt_', 'fil_01M809Q3ZQ0000000000000001', 'evt_01M809Q3ZQ000000000000000U']) expect(seqOf(odd), odd).toBeUndefined();
  });
});

describe('QR codes', () => {
  it.each([3, 30, 60, 100, 120, 150, 180, 220])('are read by somebody else: %i bytes', (length) => {
    const text = 'http://localhost:8080/watch/live/cam1?'.repeat(8).slice(0, length);
    const modules = qr(text) ?? [];
    // Four pixels a module, four modules of light around.
    const size = (modules.length + 8) * 4;
    const pixels = new Uint8ClampedArray(size * size * 4).fill(255);
    modules.forEach((row, y) => row.forEach((dark, x) => {
      if (!dark) return;
      for (let dy = 0; dy < 4; dy += 1) for (let dx = 0; dx < 4; dx += 1) {
        const at = (((y + 4) * 4 + dy) * size + (x + 4) * 4 + dx) * 4;
        pixels.fill(0, at, at + 3);
      }
    }));
    expect(jsQR(pixels, size, size)?.data).toBe(text);
  });

  it('have an end', () => {
    expect(qr('x'.repeat(231))).toBeUndefined();
  });
});
