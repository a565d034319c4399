// Small choices that survive a reload; without storage (private windows, sandboxed frames) the default holds.

export function storedFlag(key: string, otherwise: boolean): boolean {
  try {
    const value = localStorage.getItem(key);
    return value === null ? otherwise : value === '1';
  } catch {
    return otherwise;
  }
}

export function storeFlag(key: string, value: boolean): void {
  try {
    localStorage.setItem(key, value ? '1' : '0');
  } catch {
    // Not kept, nothing else lost.
  }
}
