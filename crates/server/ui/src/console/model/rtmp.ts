// Where encoders publish.

import { signal } from '@preact/signals';
import { get } from '../api/client';
import type { Server } from '../api/types';

/** `rtmp://host:port`, without a slash at the end. */
export const rtmpBase = signal(typeof location === 'undefined' ? '' : `rtmp://${location.hostname}`);

let asked = false;

/** Learns the address once. */
export async function learnRtmpBase(): Promise<void> {
  if (asked) return;
  asked = true;
  try {
    rtmpBase.value = (await get<Server>('/v1/server')).rtmp ?? rtmpBase.value;
  } catch {
    asked = false;
  }
}
