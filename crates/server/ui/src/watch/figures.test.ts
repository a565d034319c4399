import { describe, expect, it } from 'vitest';
import { translator } from '../shared/i18n';
import { FIELDS, fieldTexts } from './figures-panel';
import { Meter, usualRate } from './meter';
import { actionOf, belongsTo } from './shortcuts';

const none = {
  codecs: [], width: 0, height: 0, frameRate: undefined, bitrate: undefined, latency: undefined,
  buffer: undefined, dropped: undefined, total: undefined, protocol: undefined,
};

describe('the panel', () => {
  it('shows every figure with its unit', () => {
    expect(fieldTexts({
      codecs: ['avc1.640028', 'mp4a.40.2'], width: 1920, height: 1080, frameRate: 29.97, bitrate: 2_512_345,
      latency: 6.44, buffer: 0.8, dropped: 2, total: 1204, protocol: 'hls',
    }, translator('en'))).toEqual({
      codec: 'H.264 High@4.0 + AAC-LC', resolution: '1920×1080', fps: '29.97 fps', bitrate: '2.51 Mbit/s',
      latency: '6.4 s', buffer: '0.80 s', dropped: '2 of 1,204', protocol: 'HLS (fMP4)',
    });
  });

  it('shows a dash for what is not known', () => {
    const texts = fieldTexts(none, translator('zh-CN'));
    for (const field of FIELDS) expect(texts[field]).toBe('–');
  });

  it('calls a stream without picture what it is', () => {
    expect(fieldTexts({ ...none, buffer: 1, total: 0, protocol: 'flv' }, translator('en')).resolution).toBe('audio only');
    expect(fieldTexts({ ...none, protocol: 'flv' }, translator('en')).resolution).toBe('–');
  });
});

describe('a meter', () => {
  it('counts per second over its window', () => {
    const meter = new Meter(5);
    for (let second = 0; second <= 20; second += 1) meter.note(second, second < 10 ? second * 10 : 100 + (second - 10) * 25);
    expect(meter.rate()).toBe(25);
  });

  it('says nothing before it saw enough', () => {
    const meter = new Meter(5);
    expect(meter.rate()).toBeUndefined();
    meter.note(0, 0);
    meter.note(0.5, 10);
    expect(meter.rate(1)).toBeUndefined();
    meter.note(1, 20);
    expect(meter.rate(1)).toBe(20);
  });

  it('starts anew when its counter or its base goes back', () => {
    const meter = new Meter(5);
    meter.note(0, 0);
    meter.note(4, 100);
    meter.note(5, 10);
    expect(meter.rate()).toBeUndefined();
    meter.note(7, 60);
    expect(meter.rate()).toBe(25);
    meter.note(1, 70);
    expect(meter.rate()).toBeUndefined();
  });

  it('rounds to the rates that exist', () => {
    expect(usualRate(24.8)).toBe(25);
    expect(usualRate(26, 25)).toBe(25);
    expect(usualRate(29.9, 29.97)).toBe(29.97);
    expect(usualRate(18, 25)).toBe(18);
    expect(usualRate(7.3)).toBe(7.3);
  });
});

describe('keys', () => {
  it('do what the page says', () => {
    expect([' ', 'k', 'm', 'f', 'i', 'ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'x', 'Enter'].map(actionOf)).toEqual(
      ['play', 'play', 'mute', 'fullscreen', 'panel', 'louder', 'softer', 'back', 'forward', undefined, undefined]);
  });

  it('are left to the elements that need them', () => {
    expect(belongsTo('INPUT', 'text', 'k')).toBe(true);
    expect(belongsTo('INPUT', 'range', 'ArrowLeft')).toBe(true);
    expect(belongsTo('INPUT', 'range', 'm')).toBe(false);
    expect(belongsTo('INPUT', 'checkbox', ' ')).toBe(true);
    expect(belongsTo('INPUT', 'checkbox', 'k')).toBe(false);
    expect(belongsTo('BUTTON', '', ' ')).toBe(true);
    expect(belongsTo('BUTTON', '', 'm')).toBe(false);
    expect(belongsTo('BODY', '', ' ')).toBe(false);
  });
});
