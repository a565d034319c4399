// The one stream of events (`/v1/events/stream`): read with fetch, because EventSource cannot carry a key. It rests while
// the tab is hidden and goes on where it was.

import { signal } from '@preact/signals';
import { access, authorization, lastAnswer } from './client';
import type { Event } from './types';

type Listener = (event: Event) => void;

const listeners = new Set<Listener>();

/** How the stream is: `off` where the relay has no event log. */
export const following = signal<'connecting' | 'open' | 'off'>('connecting');

/** Calls `listener` with each event until the returned function is called. */
export function onEvent(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Puts messages together from chunks of text (WHATWG HTML §9.2.6, the parts that our server uses). */
export class EventParser {
  private rest = '';

  /** The messages that `chunk` completes. */
  push(chunk: string): { id: string; data: string }[] {
    const blocks = (this.rest + chunk).split('\n\n');
    this.rest = blocks.pop() ?? '';
    const messages = blocks.map((block) => {
      const fields = block.split('\n').map((line) => /^(\w+): ?(.*)$/.exec(line));
      const of = (name: string) => fields.flatMap((field) => (field?.[1] === name ? [field[2] ?? ''] : []));
      return { id: of('id')[0] ?? '', data: of('data').join('\n') };
    });
    return messages.filter(({ data }) => data !== '');
  }
}

const LONGEST_PAUSE_MS = 15_000;

let last = '';
let current: AbortController | undefined;
let failures = 0;
let timer: number | undefined;

/** Begins to follow; call once. */
export function followEvents(): void {
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) rest();
    else connect();
  });
  access.subscribe((now) => {
    if (now === 'granted') connect();
    else rest();
  });
}

function rest(): void {
  window.clearTimeout(timer);
  current?.abort();
  current = undefined;
}

function connect(): void {
  if (current !== undefined || document.hidden || access.peek() !== 'granted' || following.peek() === 'off') return;
  window.clearTimeout(timer);
  const own = current = new AbortController();
  follow(own.signal).catch(() => {}).finally(() => {
    if (current !== own) return;
    current = undefined;
    if (following.peek() === 'off') return;
    following.value = 'connecting';
    failures += 1;
    timer = window.setTimeout(connect, Math.min(LONGEST_PAUSE_MS, 500 * 2 ** failures));
  });
}

async function follow(abort: AbortSignal): Promise<void> {
  const response = await fetch('/v1/events/stream', {
    cache: 'no-store', signal: abort,
    headers: { Accept: 'text/event-stream', ...authorization(), ...(last === '' ? {} : { 'Last-Event-ID': last }) },
  });
  // Without a control plane there is nothing to follow; screens then ask now and then.
  if (response.status === 403 || response.status === 404) following.value = 'off';
  if (!response.ok || response.body === null) return;
  following.value = 'open';
  failures = 0;
  const parser = new EventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    lastAnswer.value = performance.now();
    for (const { id, data } of parser.push(value)) {
      if (id !== '') last = id;
      const event = JSON.parse(data) as Event;
      for (const listener of listeners) listener(event);
    }
  }
}
