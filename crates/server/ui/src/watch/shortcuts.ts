// Keys of the page: space/k, m, f, i, arrows. They can be switched off (WCAG 2.1.4), and never take a key from
// a field, a button or a combination.

import type { Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Session } from './session';

/** What a key does. */
export type Action = 'play' | 'mute' | 'fullscreen' | 'panel' | 'louder' | 'softer' | 'back' | 'forward';

/** The action of `key`, by `KeyboardEvent.key`. */
export function actionOf(key: string): Action | undefined {
  switch (key) {
    case ' ': case 'k': case 'K': return 'play';
    case 'm': case 'M': return 'mute';
    case 'f': case 'F': return 'fullscreen';
    case 'i': case 'I': return 'panel';
    case 'ArrowUp': return 'louder';
    case 'ArrowDown': return 'softer';
    case 'ArrowLeft': return 'back';
    case 'ArrowRight': return 'forward';
    default: return undefined;
  }
}

/** Whether an element of this kind (`type` of an INPUT) needs `key` for itself. */
export function belongsTo(tag: string, type: string, key: string): boolean {
  if (tag === 'INPUT' && type === 'checkbox') return key === ' ';
  if (tag === 'INPUT' && type === 'range') return key.startsWith('Arrow');
  if (tag === 'INPUT' || tag === 'TEXTAREA' || tag === 'SELECT') return true;
  return key === ' ' && (tag === 'BUTTON' || tag === 'SUMMARY' || tag === 'A');
}

export function useShortcuts(session: Session, enabled: Signal<boolean>, onFullscreen: () => void, onPanel: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!enabled.value || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
      const action = actionOf(event.key);
      if (action === undefined) return;
      const { target } = event;
      if (target instanceof Element && belongsTo(target.tagName, target.getAttribute('type') ?? '', event.key)) return;
      event.preventDefault();
      switch (action) {
        case 'play': if (!event.repeat) session.togglePlay(); break;
        case 'mute': if (!event.repeat) session.toggleMute(); break;
        case 'fullscreen': if (!event.repeat) onFullscreen(); break;
        case 'panel': if (!event.repeat) onPanel(); break;
        case 'louder': session.changeVolume(0.1); break;
        case 'softer': session.changeVolume(-0.1); break;
        case 'back': session.seek(-5); break;
        case 'forward': session.seek(5); break;
      }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}
