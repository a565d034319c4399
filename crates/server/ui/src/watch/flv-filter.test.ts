import { describe, expect, it } from 'vitest';
import { FlvFilter } from './flv-filter';

const HEADER = [0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0];

function tag(type: number, body: number[]): number[] {
  const size = 11 + body.length;
  return [type, 0, body.length >> 8, body.length & 255, 0, 0, 0, 0, 0, 0, 0, ...body, 0, 0, size >> 8, size & 255];
}

const AVC = tag(9, [0x17, 4, 1, 2, 3]); // legacy: a 4 in second place means nothing here
const HEVC = tag(9, [0x93, 0x68, 0x76, 0x63, 0x31, 7]);
const METADATA = tag(9, [0xd4, 0x68, 0x76, 0x63, 0x31, 2, 0, 9]);
const OPUS = tag(8, [0x91, 0x4f, 0x70, 0x75, 0x73, 1]);
const CHANNELS = tag(8, [0x94, 0x4f, 0x70, 0x75, 0x73, 1, 2]);
const AAC = tag(8, [0xaf, 1, 33]);
const SCRIPT = tag(18, [0xd4, 4, 4]);
const EMPTY = tag(9, []);
const LONG = tag(9, Array.from({ length: 300 }, () => 0xd4).fill(0x27, 0, 1));

const input = [HEADER, SCRIPT, METADATA, AVC, CHANNELS, AAC, EMPTY, HEVC, METADATA, METADATA, OPUS, LONG].flat();
const wanted = [HEADER, SCRIPT, AVC, AAC, EMPTY, HEVC, OPUS, LONG].flat();

describe('the FLV filter', () => {
  it.each([1, 2, 3, 7, 11, 12, 13, 64, 10_000])('drops only what mpegts.js stumbles over, in pieces of %i bytes', (size) => {
    const filter = new FlvFilter();
    const out: number[] = [];
    for (let at = 0; at < input.length; at += size) out.push(...filter.push(Uint8Array.from(input.slice(at, at + size))));
    expect(out).toEqual(wanted);
  });
});
