// The API key: kept in this tab only, never in an address. `/console#key=…` hands one over once.

import { signal } from '@preact/signals';

const NAME = 'console.key';

export const key = signal<string>(read());

export function setKey(value: string): void {
  key.value = value;
  try {
    if (value === '') sessionStorage.removeItem(NAME);
    else sessionStorage.setItem(NAME, value);
  } catch {
    // Asked for again after a reload.
  }
}

/** Takes the key out of the page's address, where there is one. */
export function takeKeyFromAddress(): void {
  const found = /^#key=([^&]+)/.exec(location.hash)?.[1];
  if (found === undefined) return;
  setKey(decodeURIComponent(found));
  history.replaceState(null, '', `${location.pathname}${location.search}`);
}

function read(): string {
  try {
    return sessionStorage.getItem(NAME) ?? '';
  } catch {
    return '';
  }
}
