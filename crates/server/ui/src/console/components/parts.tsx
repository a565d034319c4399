// Small parts that screens share.

import type { ComponentChildren } from 'preact';
import { t } from '../i18n';
import type { Loaded } from '../api/data';
import { Icon, type IconName } from './icon';
import { refusalText } from './toast';

/** Title of a screen and what can be done there. */
export function Heading({ title, children }: { title: string; children?: ComponentChildren }) {
  return <header class="heading"><h1>{title}</h1><div class="heading-tools">{children}</div></header>;
}

export function Empty({ icon, text, children }: { icon: IconName; text: string; children?: ComponentChildren }) {
  return (
    <section class="empty">
      <Icon name={icon} />
      <p class="empty-text">{text}</p>
      {children}
    </section>
  );
}

/** The loaded value, or a skeleton, or why there is none. */
export function Shown<T>({ of, children }: { of: Loaded<T>; children: (value: T) => ComponentChildren }) {
  const value = of.value.value;
  if (value !== undefined) return <>{children(value)}</>;
  const refusal = of.refusal.value;
  if (refusal === undefined) return <div class="skeleton" aria-busy="true"><i /><i /><i /></div>;
  return (
    <section class="empty">
      <Icon name={refusal.reason === 'PERMISSION_DENIED' ? 'lock' : 'error'} />
      <p class="empty-text">{refusal.reason === 'PERMISSION_DENIED' ? t('denied.title') : t('error.title')}</p>
      <p class="dim" translate={false}>{refusalText(refusal)}</p>
      <button type="button" class="button" onClick={of.reload}>{t('error.retry')}</button>
    </section>
  );
}

/** A figure with its name. */
export function Figure({ name, children, field }: { name: string; children: ComponentChildren; field?: string }) {
  return <div class="figure"><dt>{name}</dt><dd {...(field === undefined ? {} : { 'data-field': field })} translate={false}>{children}</dd></div>;
}

/** What a name is to the server: never translated. */
export function Raw({ children, mono = false }: { children: ComponentChildren; mono?: boolean }) {
  return <span translate={false} class={mono ? 'mono' : ''}>{children}</span>;
}

export interface Tab<T extends string> { id: T; name: string; count?: number | undefined }

/** One of a few views; the chosen one is in the address. */
export function Tabs<T extends string>({ tabs, chosen, label, onChoose }: { tabs: readonly Tab<T>[]; chosen: T; label: string; onChoose: (id: T) => void }) {
  const move = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = tabs.findIndex(({ id }) => id === chosen);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (next === undefined) return;
    onChoose(next.id);
    const list = (event.currentTarget as HTMLElement);
    window.requestAnimationFrame(() => list.querySelector<HTMLElement>('[aria-selected=true]')?.focus());
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {tabs.map(({ id, name, count }) => (
        <button key={id} type="button" role="tab" id={`tab-${id}`} aria-selected={id === chosen} tabIndex={id === chosen ? 0 : -1} onClick={() => onChoose(id)}>
          {name}{count !== undefined && count > 0 && <span class="count">{count}</span>}
        </button>
      ))}
    </div>
  );
}

/** A set of choices of which one holds. */
export function Choices<T extends string>({ choices, chosen, label, onChoose }: { choices: readonly Tab<T>[]; chosen: T; label: string; onChoose: (id: T) => void }) {
  return (
    <div class="choices" role="group" aria-label={label}>
      {choices.map(({ id, name, count }) => (
        <button key={id} type="button" aria-pressed={id === chosen} onClick={() => onChoose(id)}>
          {name}{count !== undefined && <span class="count">{count}</span>}
        </button>
      ))}
    </div>
  );
}

/** A form's line: name, control, hint. */
export function Field({ name, hint, children }: { name: string; hint?: string; children: ComponentChildren }) {
  return <label class="field"><span class="field-name">{name}</span>{children}{hint !== undefined && <span class="hint">{hint}</span>}</label>;
}

/** Several of a few words. */
export function Checks({ name, words, chosen, onChange, show = (word) => word }: {
  name: string; words: readonly string[]; chosen: readonly string[]; onChange: (words: string[]) => void; show?: (word: string) => string;
}) {
  return (
    <fieldset class="checks">
      <legend>{name}</legend>
      {words.map((word) => (
        <label key={word} class="check">
          <input
            type="checkbox" checked={chosen.includes(word)}
            onChange={(event) => onChange(event.currentTarget.checked ? [...chosen, word] : chosen.filter((other) => other !== word))}
          />
          <span translate={false}>{show(word)}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function Switch({ name, on, onChange }: { name: string; on: boolean; onChange: (on: boolean) => void }) {
  return (
    <label class="switch">
      <input type="checkbox" role="switch" checked={on} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span>{name}</span>
    </label>
  );
}
