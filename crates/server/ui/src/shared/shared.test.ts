import { describe, expect, it } from 'vitest';
import en from '../i18n/en.json';
import zhCN from '../i18n/zh-CN.json';
import { bitrate, bytes, count, frameRate, resolution, seconds } from './format';
import { chooseLanguage, translator } from './i18n';
import css from './tokens.css?raw';

describe('numbers', () => {
  it('have decimal units for traffic', () => {
    expect([0, 310_000, 999_499, 999_500, 2_512_345, 12_340_000, 123_400_000].map((bits) => bitrate(bits, 'en'))).toEqual(
      ['0 kbit/s', '310 kbit/s', '999 kbit/s', '1.00 Mbit/s', '2.51 Mbit/s', '12.3 Mbit/s', '123 Mbit/s']);
    expect([0, 999, 1_000, 1_234_567, 12_345_678, 5e12].map((size) => bytes(size, 'en'))).toEqual(
      ['0 B', '999 B', '1.0 kB', '1.2 MB', '12 MB', '5.0 TB']);
  });

  it('are written in the language of the viewer', () => {
    expect(count(1_234_567, 'en')).toBe('1,234,567');
    expect(seconds(1.25, 'de')).toBe('1,3 s');
  });

  it('show a dash when there is none', () => {
    for (const value of [undefined, NaN, Infinity, -1]) {
      expect([bitrate(value, 'en'), bytes(value, 'en'), seconds(value, 'en'), frameRate(value, 'en'), count(value, 'en')]).toEqual(['–', '–', '–', '–', '–']);
    }
    expect(frameRate(0, 'en')).toBe('–');
    expect(resolution(0, 0)).toBe('–');
  });

  it('keep fractions only where they mean something', () => {
    expect([25, 29.97, 23.976, 24.9999].map((rate) => frameRate(rate, 'en'))).toEqual(['25 fps', '29.97 fps', '23.98 fps', '25 fps']);
    expect([0.05, 0.994, 0.996, 6.44].map((value) => seconds(value, 'en'))).toEqual(['0.05 s', '0.99 s', '1.0 s', '6.4 s']);
    expect(resolution(1920, 1080)).toBe('1920×1080');
  });
});

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

  it('are chosen by what the viewer prefers', () => {
    expect(chooseLanguage(['zh-TW', 'en'])).toBe('zh-CN');
    expect(chooseLanguage(['de-DE', 'en-GB'])).toBe('en');
    expect(chooseLanguage(['ZH'])).toBe('zh-CN');
    expect(chooseLanguage(['de'])).toBe('en');
    expect(chooseLanguage([])).toBe('en');
  });

  it('fill values in as they are, also those that look like patterns', () => {
    expect(translator('en')('loading.text', { stream: '$& {x}' })).toBe('Opening $& {x}');
    expect(translator('xx').tag).toBe('en');
  });
});

describe('colours', () => {
  const tokens = new Map([...css.matchAll(/--([\w-]+):\s*light-dark\((#\w{6}),\s*(#\w{6})\)/g)].map(([, name, light, dark]) => [name, [light, dark]]));
  const luminance = (hex: string) => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string) => {
    const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const of = (name: string, theme: number) => tokens.get(name)?.[theme] ?? '';

  it.each([['light', 0], ['dark', 1]] as const)('can be read in the %s theme on both grounds', (_name, theme) => {
    for (const ground of ['bg', 'surface']) {
      for (const text of ['text', 'dim', 'accent', 'live', 'ok', 'warn', 'bad', 'forbidden']) {
        expect(contrast(of(text, theme), of(ground, theme)), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
      }
      expect(contrast(of('control', theme), of(ground, theme)), `control on ${ground}`).toBeGreaterThanOrEqual(3);
    }
    expect(contrast(of('on-accent', theme), of('accent', theme))).toBeGreaterThanOrEqual(4.5);
  });
});
