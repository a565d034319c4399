// Says state changes to screen readers, the latest one at most every five seconds.

import { useSignal, useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Translator } from '../shared/i18n';
import { stateText, stateWord } from './overlay';
import type { Session } from './session';

const GAP_MS = 5_000;

export function Announcer({ session, name, t }: { session: Session; name: string; t: Translator }) {
  const said = useSignal('');
  const last = useRef(-GAP_MS);
  const timer = useRef<number | undefined>(undefined);
  useSignalEffect(() => {
    const model = session.model.value;
    const text = `${t(stateWord(model))}. ${stateText(model, name, t)}`.trim();
    window.clearTimeout(timer.current);
    const say = () => {
      last.current = performance.now();
      said.value = text;
    };
    const wait = last.current + GAP_MS - performance.now();
    if (wait <= 0) say();
    else timer.current = window.setTimeout(say, wait);
  });
  return <p class="visually-hidden" role="status" aria-live="polite">{said.value}</p>;
}
