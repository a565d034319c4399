// Starts a channel; shows the same request as curl, and afterwards where it plays and is published.

import { useSignal } from '@preact/signals';
import { CopyField } from '../../../shared/copy-field';
import { post } from '../../api/client';
import { key } from '../../api/key';
import type { Started } from '../../api/types';
import { Dialog } from '../../components/dialog';
import { Icon } from '../../components/icon';
import { Checks, Field } from '../../components/parts';
import { doing } from '../../components/toast';
import { t, word } from '../../i18n';
import { curl } from '../../model/curl';
import { hashOf } from '../../router';
import { FORMATS } from '../channel/recordings';

const PROTOCOLS = ['hls', 'rtmp', 'flv'] as const;

export function StartDialog({ room, onClose }: { room: string; onClose: () => void }) {
  const form = useSignal({ room, user: '', source: 'main', name: '', password: '', target: '', protocols: [...PROTOCOLS] as string[], formats: [] as string[] });
  const started = useSignal<Started | undefined>(undefined);
  const set = (change: Partial<typeof form.value>) => { form.value = { ...form.value, ...change }; };
  const { user, source, name, password, target, protocols, formats } = form.value;
  const about = { ...(name === '' ? {} : { name }), ...(password === '' ? {} : { password }) };
  const body = {
    user_id: user, ...(source === 'main' ? {} : { source }), protocols,
    ...(Object.keys(about).length === 0 ? {} : { channel: about }),
    ...(formats.length === 0 ? {} : { record: { formats } }),
    ...(target === '' ? {} : { targets: [{ url: target }] }),
  };
  const path = `/v1/rooms/${encodeURIComponent(form.value.room || 'ROOM')}/channels`;
  const submit = async (event: Event) => {
    event.preventDefault();
    await doing(async () => { started.value = await post<Started>(path, body); });
  };
  const text = (field: 'room' | 'user' | 'name' | 'password' | 'target', more: Record<string, unknown> = {}) => (
    <input name={field} type="text" autocomplete="off" value={form.value[field]} onInput={(event) => set({ [field]: event.currentTarget.value })} {...more} />
  );
  if (started.value !== undefined) return <Dialog title={t('start.done')} onClose={onClose} wide><Done started={started.value} /></Dialog>;
  return (
    <Dialog title={t('start.title')} onClose={onClose} wide>
      <form onSubmit={(event) => void submit(event)}>
        <div class="form-grid">
          <Field name={t('start.room')}>{text('room', { required: true })}</Field>
          <Field name={t('start.user')}>{text('user', { required: true })}</Field>
          <Field name={t('start.source')}>
            <select value={source} onChange={(event) => set({ source: event.currentTarget.value })}>
              {['main', 'aux'].map((id) => <option key={id} value={id}>{word('source', id)}</option>)}
            </select>
          </Field>
          <Field name={t('start.name')}>{text('name', { maxLength: 100 })}</Field>
          <Field name={t('start.password')}>{text('password')}</Field>
          <Field name={t('start.target')}>{text('target', { type: 'url', placeholder: 'rtmp://…' })}</Field>
        </div>
        <Checks name={t('start.protocols')} words={PROTOCOLS} chosen={protocols} onChange={(chosen) => set({ protocols: chosen })} show={(protocol) => protocol.toUpperCase()} />
        <Checks name={t('start.record')} words={FORMATS} chosen={formats} onChange={(chosen) => set({ formats: chosen })} show={(format) => format.toUpperCase()} />
        <div class="field"><span class="field-name">{t('start.curl')}</span><pre data-curl translate={false} tabIndex={0}>{curl('POST', path, password === '' ? body : { ...body, channel: { ...about, password: '****' } }, location.origin, key.value !== '')}</pre></div>
        <footer><button type="submit" class="button primary" disabled={protocols.length === 0}><Icon name="play" />{t('start.action')}</button></footer>
      </form>
    </Dialog>
  );
}

function Done({ started }: { started: Started }) {
  return (
    <div class="stack" data-started={started.channel_id}>
      <p><a href={hashOf('channel', started.stream, { tab: 'publish' })} translate={false}>{started.stream}</a> <span class="dim">{word('effect', started.effect)}</span></p>
      {started.urls.map(({ protocol, url }) => <CopyField key={protocol} label={protocol.toUpperCase()} value={url} t={t} />)}
      {started.warnings.map(({ code, detail }) => <p key={code} class="note tone-warn"><Icon name="warn" /><span translate={false}>{detail}</span></p>)}
      <p class="dim">{t('start.next')}</p>
    </div>
  );
}
