// The actions of one thing: a popover under its button, a sheet on a phone.

import { useId } from 'preact/hooks';
import { Icon, type IconName } from './icon';

export interface Action {
  name: string;
  icon: IconName;
  danger?: boolean;
  run: () => void;
}

export function Menu({ label, actions, text }: { label: string; actions: readonly Action[]; text?: string }) {
  const id = `menu-${useId()}`;
  const place = (event: Pick<ToggleEvent, 'newState' | 'currentTarget'>) => {
    if (event.newState !== 'open') return;
    const menu = event.currentTarget as HTMLElement;
    const button = document.querySelector<HTMLElement>(`[popovertarget="${id}"]`);
    if (button === null || window.innerWidth <= 640) return;
    const box = button.getBoundingClientRect();
    const below = box.bottom + menu.offsetHeight + 12 < window.innerHeight;
    menu.style.insetBlockStart = `${below ? box.bottom + 4 : box.top - menu.offsetHeight - 4}px`;
    menu.style.insetInlineStart = `${Math.max(8, Math.min(box.right - menu.offsetWidth, window.innerWidth - menu.offsetWidth - 8))}px`;
    menu.querySelector<HTMLElement>('button')?.focus();
  };
  const move = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const items = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('button')];
    const at = items.indexOf(document.activeElement as HTMLElement);
    items[(at + step + items.length) % items.length]?.focus();
  };
  if (actions.length === 0) return null;
  return (
    <>
      <button type="button" class={text === undefined ? 'icon-button' : 'button'} popovertarget={id} aria-label={label} title={label}>
        {text === undefined ? <Icon name="more" /> : <>{text}<Icon name="chevron" /></>}
      </button>
      <div id={id} popover="auto" class="menu" onToggle={place} onKeyDown={move}>
        {actions.map(({ name, icon, danger = false, run }) => (
          <button
            key={name} type="button" class={danger ? 'danger' : ''}
            onClick={() => { document.getElementById(id)?.hidePopover(); run(); }}
          >
            <Icon name={icon} />{name}
          </button>
        ))}
      </div>
    </>
  );
}
