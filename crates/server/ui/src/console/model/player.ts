// How the console opens a stream in the watch page's player.

import type { Address } from '../../watch/address';
import type { Protocol } from '../../watch/protocol';
import { post } from '../api/client';
import { codeOf } from './actions';

/** The address of `app/stream`; `credentials` is a query that lets in, may be empty. */
export function addressOf(name: string, protocol: Protocol, credentials: string): Address {
  const at = name.lastIndexOf('/');
  return { app: name.slice(0, at), stream: name.slice(at + 1), protocol, muted: true, controls: true, language: undefined, credentials };
}

/** Credentials for a stream that does not let everybody watch; empty where the relay makes none. */
export async function playCredentials(name: string): Promise<string> {
  try {
    const { token } = await post<{ token: string }>(`/v1/play/${encodeURIComponent(codeOf(name))}/token`, { ttl_s: 600 });
    return `token=${encodeURIComponent(token)}`;
  } catch {
    return '';
  }
}
