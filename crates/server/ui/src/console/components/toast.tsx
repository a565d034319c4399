// Short words about what was done, and a way back where there is one. Also what screen readers are told of states: at
// most one sentence in five seconds.

import { signal } from '@preact/signals';
import { Refusal } from '../api/client';
import { t } from '../i18n';
import { Icon } from './icon';

interface Toast {
  id: number;
  text: string;
  bad: boolean;
  undo: (() => void) | undefined;
}

const toasts = signal<readonly Toast[]>([]);
let next = 0;

export function say(text: string, undo?: () => void): void {
  add({ id: next += 1, text, bad: false, undo });
}

/** Says why something was not done. */
export function complain(error: unknown): void {
  add({ id: next += 1, text: refusalText(error), bad: true, undo: undefined });
}

/** Runs what a button is for; a refusal is shown, and false given. */
export async function doing(action: () => Promise<unknown>, done = ''): Promise<boolean> {
  try {
    await action();
    if (done !== '') say(done);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

export function refusalText(error: unknown): string {
  if (!(error instanceof Refusal)) return error instanceof Error ? error.message : String(error);
  if (error.status === 0) return t('error.no-answer');
  return error.message === '' ? `HTTP ${error.status}` : error.message;
}

function add(toast: Toast): void {
  toasts.value = [...toasts.value.slice(-2), toast];
  window.setTimeout(() => dismiss(toast.id), toast.bad || toast.undo !== undefined ? 10_000 : 4_000);
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={`toast ${toast.bad ? 'bad' : ''}`}>
          <Icon name={toast.bad ? 'error' : 'check'} />
          <p translate={false}>{toast.text}</p>
          {toast.undo !== undefined && (
            <button type="button" class="button" onClick={() => { toast.undo?.(); dismiss(toast.id); }}>{t('toast.undo')}</button>
          )}
          <button type="button" class="icon-button" aria-label={t('toast.dismiss')} onClick={() => dismiss(toast.id)}><Icon name="close" /></button>
        </div>
      ))}
    </div>
  );
}
