// What a screen shows: loaded when it opens, again as events say so, and every second where it shows figures. Nothing
// is asked while the tab is hidden or the page is not let in.

import { useSignal, type ReadonlySignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { access, Refusal } from './client';
import { following, onEvent } from './events';

export interface Loaded<T> {
  value: ReadonlySignal<T | undefined>;
  refusal: ReadonlySignal<Refusal | undefined>;
  /** Loads again, soon. */
  reload: () => void;
}

export interface When {
  /** Again after so long. */
  everyMs?: number;
  /** Again after events whose type begins so. */
  on?: readonly string[];
}

/** Several events that come together lead to one question. */
const GATHER_MS = 150;
/** Where no events come. */
const WITHOUT_EVENTS_MS = 3_000;
/** A missed event costs no more than this. */
const FALLBACK_MS = 20_000;

export function useData<T>(load: (signal: AbortSignal) => Promise<T>, deps: readonly unknown[], when: When = {}): Loaded<T> {
  const value = useSignal<T | undefined>(undefined);
  const refusal = useSignal<Refusal | undefined>(undefined);
  const reload = useRef(() => {});
  const granted = access.value !== 'login' && access.value !== 'elsewhere';

  useEffect(() => {
    if (!granted) return undefined;
    const end = new AbortController();
    let timer: number | undefined;
    let due = 0;
    let running = false;
    const at = (ms: number) => {
      const wanted = performance.now() + ms;
      if (timer !== undefined && due <= wanted) return;
      window.clearTimeout(timer);
      due = wanted;
      timer = window.setTimeout(() => { timer = undefined; void run(); }, ms);
    };
    const run = async () => {
      if (running) return at(GATHER_MS);
      if (document.hidden) return undefined;
      running = true;
      try {
        const loaded = await load(end.signal);
        if (end.signal.aborted) return undefined;
        value.value = loaded;
        refusal.value = undefined;
      } catch (error) {
        if (end.signal.aborted) return undefined;
        if (!(error instanceof Refusal)) throw error;
        refusal.value = error;
      } finally {
        running = false;
      }
      const pause = when.everyMs ?? (following.peek() === 'open' ? FALLBACK_MS : WITHOUT_EVENTS_MS);
      at(refusal.peek() === undefined ? pause : Math.max(pause, 2_000));
      return undefined;
    };
    reload.current = () => at(0);
    const seen = () => { if (!document.hidden) at(0); };
    document.addEventListener('visibilitychange', seen);
    const forget = onEvent((event) => {
      if (when.on?.some((start) => event.type.startsWith(start)) === true) at(GATHER_MS);
    });
    void run();
    return () => {
      end.abort();
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
      forget();
    };
  }, [granted, ...deps]);

  return { value, refusal, reload: () => reload.current() };
}
