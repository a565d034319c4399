// For how long nobody may publish a stream, and why.

import { useSignal } from '@preact/signals';
import { t, type Key } from '../i18n';
import { forbid } from '../model/actions';
import { Dialog } from './dialog';
import { Field } from './parts';

const SPANS: readonly [Key, number][] = [
  ['forbid.10m', 600], ['forbid.1h', 3_600], ['forbid.1d', 86_400], ['forbid.7d', 604_800], ['forbid.90d', 0],
];

export function ForbidDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const seconds = useSignal(3_600);
  const reason = useSignal('');
  const submit = async (event: Event) => {
    event.preventDefault();
    const until = seconds.value === 0 ? undefined : new Date(Date.now() + seconds.value * 1_000);
    if (await forbid(name, until, reason.value)) onClose();
  };
  return (
    <Dialog title={t('forbid.title', { stream: name })} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <p>{t('forbid.text')}</p>
        <Field name={t('forbid.for')}>
          <select value={String(seconds.value)} onChange={(event) => { seconds.value = Number(event.currentTarget.value); }}>
            {SPANS.map(([key, value]) => <option key={key} value={value}>{t(key)}</option>)}
          </select>
        </Field>
        <Field name={t('forbid.reason')} hint={t('forbid.reason.hint')}>
          <input type="text" maxLength={256} value={reason.value} onInput={(event) => { reason.value = event.currentTarget.value; }} />
        </Field>
        <footer>
          <button type="button" class="button" onClick={onClose}>{t('dialog.cancel')}</button>
          <button type="submit" class="button danger">{t('action.forbid')}</button>
        </footer>
      </form>
    </Dialog>
  );
}
