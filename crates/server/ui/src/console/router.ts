// Where the console is: `#/live?state=live&q=cam`. The fragment is never sent to the server, and holds filter and tab,
// so that an address can be shared.

import { computed, signal } from '@preact/signals';

export const SCREENS = ['live', 'channel', 'rooms', 'recordings', 'targets', 'callbacks', 'usage', 'settings'] as const;

export type Screen = (typeof SCREENS)[number];

export interface Place {
  screen: Screen;
  /** What follows the screen's name, decoded: a stream's name. */
  rest: string;
  query: Readonly<Record<string, string>>;
}

/** Reads a fragment; what is not a screen is the first one. */
export function parsePlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const [name = '', ...rest] = path.split('/');
  const screen = SCREENS.find((candidate) => candidate === name);
  return {
    screen: screen ?? 'live',
    rest: screen === undefined ? '' : rest.map(decode).join('/'),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** The fragment of a place; empty values are left out. */
export function hashOf(screen: Screen, rest = '', query: Readonly<Record<string, string>> = {}): string {
  const params = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  const path = rest === '' ? '' : `/${rest.split('/').map(encodeURIComponent).join('/')}`;
  return `#/${screen}${path}${params.size > 0 ? `?${params}` : ''}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const hash = signal(typeof location === 'undefined' ? '' : location.hash);
if (typeof window !== 'undefined') window.addEventListener('hashchange', () => { hash.value = location.hash; });

/** Where the console is now. */
export const place = computed(() => parsePlace(hash.value));

/** Changes filter or tab without a new entry in the history. */
export function setQuery(change: Readonly<Record<string, string>>): void {
  const { screen, rest, query } = place.peek();
  history.replaceState(null, '', hashOf(screen, rest, { ...query, ...change }));
  hash.value = location.hash;
}

export function go(to: string): void {
  location.hash = to;
}
