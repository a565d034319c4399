// A push target as the control plane wants it, joined with what the push itself says: its reason and next try.

import type { HubTarget, Target } from '../api/types';

export interface TargetRow {
  id: string;
  /** `app/stream`. */
  stream: string;
  /** Of targets that the API manages; those of the configuration have none. */
  channelId: string | undefined;
  name: string;
  url: string;
  state: string;
  reason: string | undefined;
  /** Seconds until the next try. */
  retryIn: number | undefined;
  attempts: number;
  bytes: number | undefined;
  since: string | undefined;
}

/** States of a push in the words of the control plane. */
const WORDS: Record<string, string> = { live: 'running', connecting: 'connecting', waiting: 'recovering', stopped: 'failed' };

export function joined(stream: string, channelId: string | undefined, wanted: readonly Target[], pushed: readonly HubTarget[]): TargetRow[] {
  const left = new Map(pushed.map((push) => [push.id, push]));
  const rows = wanted.map((target): TargetRow => {
    const push = left.get(target.target_id);
    left.delete(target.target_id);
    return {
      id: target.target_id, stream, channelId, name: target.name, url: target.url, state: target.state,
      reason: push?.reason ?? target.last_error ?? undefined, retryIn: push?.retry_in_s ?? undefined,
      attempts: push?.attempts ?? 0, bytes: push?.bytes_out, since: target.since,
    };
  });
  for (const push of left.values()) {
    rows.push({
      id: push.id, stream, channelId: undefined, name: '', url: push.url, state: WORDS[push.state] ?? push.state,
      reason: push.reason ?? undefined, retryIn: push.retry_in_s ?? undefined, attempts: push.attempts, bytes: push.bytes_out, since: undefined,
    });
  }
  return rows;
}
