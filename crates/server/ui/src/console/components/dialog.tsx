// Dialogs: `<dialog>` gives the focus trap, Escape and the backdrop.

import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from './icon';

export function Dialog({ title, onClose, children, wide = false }: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const gone = useRef(false);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    if (element !== null && !element.open) element.showModal();
    return () => {
      // Its event comes when the dialog is no longer anybody's.
      gone.current = true;
      element?.close();
    };
  }, []);
  return (
    <dialog
      ref={dialog} class={wide ? 'wide' : ''} aria-labelledby={id}
      onClose={() => { if (!gone.current) onClose(); }}
      onClick={(event) => { if (event.target === dialog.current) dialog.current?.close(); }}
    >
      <div class="dialog-body">
        <header>
          <h2 id={id}>{title}</h2>
          <button type="button" class="icon-button" aria-label={t('dialog.close')} onClick={() => dialog.current?.close()}><Icon name="close" /></button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface Question {
  title: string;
  text: string;
  action: string;
  answer: (yes: boolean) => void;
}

const question = signal<Question | undefined>(undefined);

/** Asks before something that cannot be taken back; true when it is wanted. */
export function confirmed(title: string, text: string, action: string): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = { title, text, action, answer: (yes) => { question.value = undefined; resolve(yes); } };
  });
}

/** Where questions appear; once in the page. */
export function Questions() {
  const open = question.value;
  if (open === undefined) return null;
  return (
    <Dialog title={open.title} onClose={() => open.answer(false)}>
      <p>{open.text}</p>
      <footer>
        <button type="button" class="button" onClick={() => open.answer(false)}>{t('dialog.cancel')}</button>
        <button type="button" class="button danger" data-confirm onClick={() => open.answer(true)}>{open.action}</button>
      </footer>
    </Dialog>
  );
}
