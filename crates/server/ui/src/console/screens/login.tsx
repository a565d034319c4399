// Who are you: asked when the API wants a key; and why it does not answer from here.

import { useSignal } from '@preact/signals';
import { access, accessDetail, get, wasRefused } from '../api/client';
import { setKey } from '../api/key';
import { CopyField } from '../../shared/copy-field';
import { Icon } from '../components/icon';
import { Field } from '../components/parts';
import { t } from '../i18n';

export function Login() {
  const typed = useSignal('');
  const busy = useSignal(false);
  const elsewhere = access.value === 'elsewhere';
  const submit = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    setKey(typed.value.trim());
    await get('/v1/streams?limit=1').catch(() => {});
    busy.value = false;
  };
  const port = location.port || (location.protocol === 'https:' ? '443' : '80');
  return (
    <main class="login" id="main">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <p class="brand"><Logo />sidestream</p>
        {elsewhere ? (
          <>
            <h1>{t('elsewhere.title')}</h1>
            <p class="dim">{t('elsewhere.text')}</p>
            <CopyField label="ssh" value={`ssh -L ${port}:localhost:${port} ${location.hostname}`} t={t} />
            <p class="dim small" translate={false}>{accessDetail.value}</p>
          </>
        ) : (
          <>
            <h1>{t('login.title')}</h1>
            <p class="dim">{t('login.text')}</p>
          </>
        )}
        <Field name={t('login.key')} hint={t('login.hint')}>
          <input type="password" autocomplete="current-password" required value={typed.value} onInput={(event) => { typed.value = event.currentTarget.value; }} />
        </Field>
        {wasRefused.value && <p class="note tone-bad" role="alert"><Icon name="error" /><span>{t('login.wrong')}</span></p>}
        <button type="submit" class="button primary" disabled={busy.value}>{t('login.action')}</button>
      </form>
    </main>
  );
}

export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 16 16" aria-hidden="true"><rect width="16" height="16" rx="4" /><path d="M6 4.5v7l6-3.5z" /></svg>
  );
}
