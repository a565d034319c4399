// Reads HTTP-FLV for mpegts.js by fetch, through `FlvFilter`. Live only: no ranges, no seeking.

import type Mpegts from 'mpegts.js';
import { FlvFilter } from './flv-filter';

// mpegts.js's own numbers (io/loader.js).
const IDLE = 0;
const CONNECTING = 1;
const BUFFERING = 2;
const ERROR = 3;
const COMPLETE = 4;

/** Error code of a demuxer that threw. */
export const DEMUXER_THREW = -2;

/** The loader class; made late because its base class comes with the script. */
export function flvLoader(mpegts: typeof Mpegts): Mpegts.CustomLoaderConstructor {
  return class FlvLoader extends mpegts.BaseLoader {
    private readonly abortion = new AbortController();

    constructor() {
      super('filtered-fetch');
    }

    override destroy(): void {
      this.abort();
      super.destroy();
    }

    override abort(): void {
      this.abortion.abort();
      this._status = IDLE;
    }

    override open(source: Mpegts.MediaSegment): void {
      this._status = CONNECTING;
      void this.run(source.url);
    }

    private async run(url: string): Promise<void> {
      const { signal } = this.abortion;
      const filter = new FlvFilter();
      let received = 0;
      try {
        const response = await fetch(url, { cache: 'no-store', referrerPolicy: 'no-referrer', signal });
        if (!response.ok || response.body === null) {
          this._status = ERROR;
          this.onError('HttpStatusCodeInvalid' as never, { code: response.status, msg: response.statusText });
          return;
        }
        const reader = response.body.getReader();
        for (;;) {
          const { done, value } = await reader.read();
          if (signal.aborted) return;
          if (done) break;
          this._status = BUFFERING;
          const passed = filter.push(value);
          if (passed.length === 0) continue;
          const start = received;
          received += passed.length;
          try {
            this.onDataArrival(passed.buffer, start, received);
          } catch (error) {
            // The demuxer throws on some streams (some AV1, in 1.8.2); that is no matter of the network.
            this.abortion.abort();
            this._status = ERROR;
            this.onError('Exception' as never, { code: DEMUXER_THREW, msg: error instanceof Error ? error.message : String(error) });
            return;
          }
        }
        this._status = COMPLETE;
        this.onComplete(0, received - 1);
      } catch (error) {
        if (signal.aborted) return;
        this._status = ERROR;
        this.onError('Exception' as never, { code: -1, msg: error instanceof Error ? error.message : String(error) });
      }
    }
  } as unknown as Mpegts.CustomLoaderConstructor;
}
