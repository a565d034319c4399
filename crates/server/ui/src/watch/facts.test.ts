// The small readers of outside text: codec strings, playlists, answers, player messages.
import { describe, expect, it } from 'vitest';
import { codecName, codecNames, splitCodecs } from './codecs';
import { flvCodec } from './engine-flv';
import { unsupportedCodecs } from './overlay';
import { firstVariant, hasSounds } from './playlist';
import { classify, clockOffset, firstLine } from './question';

describe('codec names', () => {
  it.each([
    ['avc1.64001f', 'H.264 High@3.1'],
    ['avc1.4d4028', 'H.264 Main@4.0'],
    ['avc1.42c01e', 'H.264 Constrained Baseline@3.0'],
    ['avc1.42001e', 'H.264 Baseline@3.0'],
    ['avc1', 'H.264'],
    ['avc1.zz', 'H.264'],
    ['hvc1.1.6.L93.B0', 'HEVC Main@3.1'],
    ['hev1.2.4.H120.90', 'HEVC Main 10@4.0'],
    ['hvc1', 'HEVC'],
    ['av01.0.04M.08', 'AV1'],
    ['vp09.00.10.08', 'VP9'],
    ['mp4a.40.2', 'AAC-LC'],
    ['mp4a.40.5', 'HE-AAC'],
    ['mp4a.40.34', 'MP3'],
    ['mp4a.6B', 'MP3'],
    ['mp3', 'MP3'],
    ['opus', 'Opus'],
    ['fLaC', 'FLAC'],
    ['ac-3', 'AC-3'],
    ['ec-3', 'E-AC-3'],
    ['xyz9.1', 'xyz9.1'],
  ])('%s is %s', (codec, name) => expect(codecName(codec)).toBe(name));

  it('are joined, and split from lists', () => {
    expect(codecNames(splitCodecs('avc1.64001f, mp4a.40.2'))).toBe('H.264 High@3.1 + AAC-LC');
    expect(splitCodecs(' ,')).toEqual([]);
  });

  it('of all attempts are named once', () => {
    expect(unsupportedCodecs([
      { protocol: 'hls', kind: 'codec', detail: 'hvc1.1.6.L93.B0' },
      { protocol: 'flv', kind: 'codec', detail: 'hvc1' },
      { protocol: 'ts', kind: 'media', detail: 'x' },
    ])).toBe('HEVC Main@3.1');
  });

  it('are found in what mpegts.js says', () => {
    expect(flvCodec('Flv: Unsupported audio codec idx: 11')).toBe('Speex');
    expect(flvCodec('Flv: Unsupported codec in video frame: 4')).toBe('VP6');
    expect(flvCodec('Flv: Unsupported codec in video frame: vp09')).toBe('vp09');
    expect(flvCodec('')).toBe('');
  });
});

describe('sounds to choose from', () => {
  it.each([
    ['#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI="a.m3u8",GROUP-ID="sound",NAME="Audio 1"\n', true],
    ['#EXTM3U\r\n#EXT-X-MEDIA:GROUP-ID="sound",TYPE=AUDIO\r\n', true],
    ['#EXTM3U\n#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="TYPE=AUDIO",NAME="x"\n', false],
    ['#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="x"\na.m3u8\n', false],
    ['', false],
  ])('%j: %s', (text, expected) => expect(hasSounds(text)).toBe(expected));
});

describe('the multivariant playlist', () => {
  it('gives the first variant', () => {
    const text = '#EXTM3U\r\n#EXT-X-VERSION:7\r\n#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=700000,'
      + 'CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=960x540,FRAME-RATE=29.970\r\na.m3u8\r\n';
    expect(firstVariant(text)).toEqual({ codecs: ['avc1.64001e', 'mp4a.40.2'], frameRate: 29.97, bandwidth: 700000 });
  });

  it('may say less, or nothing', () => {
    expect(firstVariant('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n')).toEqual({ codecs: [], frameRate: undefined, bandwidth: 1 });
    expect(firstVariant('#EXTM3U\n#EXTINF:2,\na.ts\n')).toBeUndefined();
    expect(firstVariant('')).toBeUndefined();
  });
});

describe('an answer', () => {
  it.each([
    [200, '', 'live'], [206, '', 'live'],
    [404, 'no stream live/cam1; publish it to rtmp://HOST/live/cam1', 'missing'],
    [404, 'no stream live/HLS; publish it to rtmp://HOST/live/HLS', 'missing'],
    [404, '', 'missing'], [410, '', 'missing'],
    [404, 'HLS is switched off', 'refused'], [415, 'HLS leaves out Speex', 'refused'], [500, '', 'refused'], [503, '', 'refused'],
    [401, '', 'forbidden'], [403, '', 'forbidden'],
  ] as const)('%i %j means %s', (status, text, meaning) => expect(classify(status, text)).toBe(meaning));

  it('is quoted by its one sentence, never as markup', () => {
    expect(firstLine('HLS is switched off\nsee [hls]\n')).toBe('HLS is switched off');
    expect(firstLine('{"title":"Unsupported","detail":"no HLS container carries Speex"}')).toBe('no HLS container carries Speex');
    expect(firstLine('{"title":"Unsupported"}')).toBe('Unsupported');
    expect(firstLine('{broken')).toBe('');
    expect(firstLine('<html><body>Bad gateway')).toBe('');
    expect(firstLine('x'.repeat(500))).toHaveLength(200);
  });

  it('tells the server clock only where seconds can', () => {
    const now = Date.parse('Fri, 20 Nov 2026 10:00:00 GMT');
    expect(clockOffset('Fri, 20 Nov 2026 10:00:01 GMT', now)).toBe(0);
    expect(clockOffset('Fri, 20 Nov 2026 10:05:00 GMT', now)).toBe(300_500);
    expect(clockOffset('Fri, 20 Nov 2026 09:00:00 GMT', now)).toBe(-3_599_500);
    expect(clockOffset(null, now)).toBeUndefined();
    expect(clockOffset('soon', now)).toBeUndefined();
  });
});
