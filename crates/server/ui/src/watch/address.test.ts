import { describe, expect, it } from 'vitest';
import { ffmpegLine, mediaPath, nameOf, parseAddress, publishTarget } from './address';

const at = (path: string, query = '') => {
  const address = parseAddress(path, query);
  if (address === undefined) throw new Error(`${path} was refused`);
  return address;
};

describe('the page address', () => {
  it('names application and stream', () => {
    expect(at('/watch/live/cam1')).toEqual({
      app: 'live', stream: 'cam1', protocol: 'hls', muted: true, controls: true, language: undefined,
      credentials: '',
    });
  });

  it('is decoded once, and encoded again for media', () => {
    const address = at('/watch/live/caf%C3%A9%20%252F');
    expect(nameOf(address)).toBe('live/café %2F');
    expect(mediaPath(address, 'hls')).toBe('/live/caf%C3%A9%20%252F.m3u8');
  });

  it('keeps the slashes of a deep application and ignores one at the end', () => {
    const address = at('/watch/a/b/cam1/');
    expect(address.app).toBe('a/b');
    expect(mediaPath(address, 'ts')).toBe('/a/b/cam1.ts.m3u8');
    expect(mediaPath(address, 'flv')).toBe('/a/b/cam1.flv');
    expect(mediaPath(address, 'native')).toBe('/a/b/cam1.m3u8');
  });

  it.each(['/watch/', '/watch/live', '/watch/live/', '/watch//cam1', '/watch/live//cam1', '/watch/live/%E0%A4', '/console'])(
    'without a stream is refused: %s', (path) => expect(parseAddress(path, '')).toBeUndefined());

  it('takes the options of an embedding page', () => {
    const address = at('/watch/live/cam1', '?muted=0&controls=0&proto=flv&lang=zh-CN');
    expect(address).toMatchObject({ muted: false, controls: false, protocol: 'flv', language: 'zh-CN' });
  });

  it('repeats with the media what is not for the page', () => {
    const address = at('/watch/live/cam1', '?proto=flv&pwd=a%26b+c&lang=en&txTime=5C271099');
    expect(mediaPath(address, 'flv')).toBe('/live/cam1.flv?pwd=a%26b+c&txTime=5C271099');
    expect(mediaPath(address, 'hls')).toBe('/live/cam1.m3u8?pwd=a%26b+c&txTime=5C271099');
  });

  it('falls back to HLS for protocols nobody knows', () => {
    expect(at('/watch/live/cam1', '?proto=webrtc').protocol).toBe('hls');
    expect(at('/watch/live/cam1', '?proto=native').protocol).toBe('hls');
    expect(at('/watch/live/cam1', '?proto=ts').protocol).toBe('ts');
  });
});

describe('the publish target', () => {
  const address = at('/watch/live/cam1');

  it('is what the 404 names, with its port', () => {
    const notice = 'no stream live/cam1; publish it to rtmp://relay.example:1945/live/cam1\n';
    expect(publishTarget(address, 'localhost', notice)).toEqual({ server: 'rtmp://relay.example:1945/live', key: 'cam1' });
  });

  it.each(['', 'not found', 'publish it to rtmp://HOST/live/cam1'])('is the page host without a useful 404: %j', (notice) => {
    expect(publishTarget(address, '192.168.1.20', notice).server).toBe('rtmp://192.168.1.20/live');
  });

  it('is quoted for the shell when it must be', () => {
    expect(ffmpegLine({ server: 'rtmp://h/live', key: 'cam1' })).toBe('ffmpeg -re -i FILE -c copy -f flv rtmp://h/live/cam1');
    expect(ffmpegLine({ server: 'rtmp://h/live', key: "a'b $(x)" })).toBe("ffmpeg -re -i FILE -c copy -f flv 'rtmp://h/live/a'\\''b $(x)'");
  });
});
