// Leaves out of an FLV stream what mpegts.js 1.8.2 takes for an error although the rest plays: Enhanced RTMP's
// video `Metadata` (HDR colour information, written by FFmpeg >= 7) and audio `MultichannelConfig` (FFmpeg >= 8).
// Enhanced RTMP v2, ExVideoTagHeader and ExAudioTagHeader. Remove once mpegts.js skips them itself.

const FILE_HEADER_BYTES = 9 + 4; // with the first PreviousTagSize
const TAG_HEADER_BYTES = 11;
const AUDIO = 8;
const VIDEO = 9;

/** Filters a byte stream cut anywhere. Holds at most one tag header. */
export class FlvFilter {
  /** Bytes of the current file header or tag still to come. */
  private remaining = FILE_HEADER_BYTES;
  private dropping = false;
  private readonly head = new Uint8Array(TAG_HEADER_BYTES + 1);
  private headBytes = 0;

  /** What of `chunk` (and of the head held back before) goes on. */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.headBytes + chunk.length);
    let length = 0;
    for (let at = 0; at < chunk.length;) {
      if (this.remaining > 0) {
        const take = Math.min(this.remaining, chunk.length - at);
        if (!this.dropping) {
          out.set(chunk.subarray(at, at + take), length);
          length += take;
        }
        this.remaining -= take;
        at += take;
        continue;
      }
      this.head[this.headBytes] = chunk[at] ?? 0;
      this.headBytes += 1;
      at += 1;
      if (this.headBytes < TAG_HEADER_BYTES) continue;
      const body = ((this.head[1] ?? 0) << 16) | ((this.head[2] ?? 0) << 8) | (this.head[3] ?? 0);
      if (body > 0 && this.headBytes === TAG_HEADER_BYTES) continue; // the first byte of the body decides
      this.dropping = body > 0 && isStumblingBlock(this.head[0] ?? 0, this.head[TAG_HEADER_BYTES] ?? 0);
      this.remaining = TAG_HEADER_BYTES + body + 4 - this.headBytes;
      if (!this.dropping) {
        out.set(this.head.subarray(0, this.headBytes), length);
        length += this.headBytes;
      }
      this.headBytes = 0;
    }
    return out.slice(0, length);
  }
}

function isStumblingBlock(type: number, first: number): boolean {
  const packetType = first & 0x0f;
  if (type === VIDEO) return (first & 0x80) !== 0 && packetType === 4;
  return type === AUDIO && first >>> 4 === 9 && packetType === 4;
}
