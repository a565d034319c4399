// Tells screen readers of streams that come and go: politely, at most one sentence in five seconds.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { onEvent } from '../api/events';
import { t, type Key } from '../i18n';

const PAUSE_MS = 5_000;

const SENTENCES: Record<string, Key> = {
  'channel.started': 'announce.started',
  'channel.interrupted': 'announce.interrupted',
  'channel.resumed': 'announce.resumed',
  'channel.ended': 'announce.ended',
  'recording.failed': 'announce.recording-failed',
};

export function Announcer() {
  const text = useSignal('');
  useEffect(() => {
    let last = 0;
    let timer: number | undefined;
    const forget = onEvent((event) => {
      const key = SENTENCES[event.type];
      if (key === undefined) return;
      // Of several within the pause the last one is told.
      window.clearTimeout(timer);
      timer = window.setTimeout(() => {
        last = performance.now();
        text.value = t(key, { stream: event.stream_id ?? '' });
      }, Math.max(0, last + PAUSE_MS - performance.now()));
    });
    return () => {
      window.clearTimeout(timer);
      forget();
    };
  }, []);
  return <p class="visually-hidden" aria-live="polite" data-announcer>{text.value}</p>;
}
