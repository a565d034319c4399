// Makes or changes an endpoint; the secret that was drawn is shown once, with how to check a signature.

import { useSignal } from '@preact/signals';
import { CopyField } from '../../../shared/copy-field';
import { ask, post } from '../../api/client';
import type { Webhook } from '../../api/types';
import { Dialog } from '../../components/dialog';
import { Icon } from '../../components/icon';
import { Checks, Field } from '../../components/parts';
import { doing } from '../../components/toast';
import { t, word } from '../../i18n';
import { Sample } from './sample';

const PROFILES = ['native', 'tencent_lvb', 'tencent_css'] as const;
const GROUPS = ['ingest.*', 'channel.*', 'target.*', 'recording.*', 'quota.*'] as const;
const ACKS = ['any_2xx', 'status_200', 'status_200_and_code_0'] as const;

export function EndpointDialog({ webhook, onClose }: { webhook?: Webhook; onClose: () => void }) {
  const form = useSignal({
    url: webhook?.url ?? '', profile: webhook?.profile ?? 'native', types: webhook?.types ?? [], secret: '', ack: webhook?.ack ?? '', timeout: webhook?.timeout_s ?? 10,
  });
  const made = useSignal<string | undefined>(undefined);
  const set = (change: Partial<typeof form.value>) => { form.value = { ...form.value, ...change }; };
  const { url, profile, types, secret, ack, timeout } = form.value;
  // The values of a query are starred in answers: an address that was not touched is not sent back.
  const body = {
    ...(url === webhook?.url ? {} : { url }), profile, types, timeout_s: timeout,
    ...(ack === '' ? {} : { ack }), ...(secret === '' || webhook !== undefined ? {} : { secret }),
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (webhook !== undefined) {
      if (await doing(() => ask('PATCH', `/v1/webhooks/${webhook.webhook_id}`, { body }), t('callbacks.changed'))) onClose();
      return;
    }
    await doing(async () => {
      const created = await post<{ secret: string | null }>('/v1/webhooks', body);
      if (created.secret === null) onClose();
      else made.value = created.secret;
    });
  };
  if (made.value !== undefined) return <SecretDialog secret={made.value} profile={profile} onClose={onClose} />;
  const extra = types.filter((type) => !(GROUPS as readonly string[]).includes(type));
  return (
    <Dialog title={webhook === undefined ? t('callbacks.new') : t('callbacks.edit')} onClose={onClose} wide>
      <form onSubmit={(event) => void submit(event)}>
        <Field name={t('callbacks.url')}><input name="url" type="text" inputMode="url" required pattern="https?://.+" placeholder="https://…" value={url} onInput={(event) => set({ url: event.currentTarget.value })} /></Field>
        <div class="form-grid">
          <Field name={t('callbacks.profile')}>
            <select value={profile} onChange={(event) => set({ profile: event.currentTarget.value })}>
              {PROFILES.map((id) => <option key={id} value={id}>{word('profile', id)}</option>)}
            </select>
          </Field>
          <Field name={t('callbacks.ack')}>
            <select value={ack} onChange={(event) => set({ ack: event.currentTarget.value })}>
              {webhook === undefined && <option value="">{t('callbacks.ack.usual')}</option>}
              {ACKS.map((id) => <option key={id} value={id}>{word('ack', id)}</option>)}
            </select>
          </Field>
          <Field name={t('callbacks.timeout')}><input type="number" min="1" max="60" value={timeout} onInput={(event) => set({ timeout: event.currentTarget.valueAsNumber || 1 })} /></Field>
          {webhook === undefined && <Field name={t('callbacks.secret')} hint={t('callbacks.secret.hint')}><input type="text" autocomplete="off" value={secret} onInput={(event) => set({ secret: event.currentTarget.value })} /></Field>}
        </div>
        <Checks name={t('callbacks.types')} words={[...GROUPS, ...extra]} chosen={types} onChange={(chosen) => set({ types: chosen })} />
        <footer><button type="submit" class="button primary"><Icon name="check" />{webhook === undefined ? t('callbacks.create') : t('settings.save')}</button></footer>
      </form>
    </Dialog>
  );
}

export function SecretDialog({ secret, profile, onClose }: { secret: string; profile: string; onClose: () => void }) {
  return (
    <Dialog title={t('callbacks.secret')} onClose={onClose} wide>
      <div class="stack" data-secret>
        <p>{t('callbacks.secret.once')}</p>
        <CopyField label={t('callbacks.secret')} value={secret} t={t} />
        <Sample profile={profile} />
      </div>
    </Dialog>
  );
}
