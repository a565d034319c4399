// A value that people take elsewhere: shown whole, selected by a click, copied by its button.

import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { Icon } from './icons';
import type { Translator } from './i18n';

export function CopyField({ label, value, t }: { label: string; value: string; t: Translator }) {
  const copied = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  const copy = async () => {
    copied.value = await toClipboard(value, field.current);
    if (copied.value) window.setTimeout(() => { copied.value = false; }, 2_000);
  };
  return (
    <div class="copy-field">
      <label>
        <span>{label}</span>
        <input ref={field} type="text" readOnly value={value} spellcheck={false} onFocus={(event) => event.currentTarget.select()} />
      </label>
      <button type="button" class="button" onClick={() => void copy()} aria-label={t('copy.label', { what: label })}>
        <Icon name={copied.value ? 'done' : 'copy'} />
        <span>{copied.value ? t('copy.copied') : t('copy.copy')}</span>
      </button>
      <span class="visually-hidden" role="status">{copied.value ? t('copy.copied') : ''}</span>
    </div>
  );
}

/** Copies over plain HTTP too, where browsers offer no `navigator.clipboard`. */
async function toClipboard(text: string, field: HTMLInputElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    field?.focus();
    field?.select();
    return document.execCommand('copy');
  }
}
