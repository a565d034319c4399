// How to publish this stream: open, or with a key that is made here and shown once.

import { useSignal } from '@preact/signals';
import { post } from '../../api/client';
import type { Ingest } from '../../api/types';
import { Icon } from '../../components/icon';
import { Field } from '../../components/parts';
import { PublishHelp } from '../../components/publish-help';
import { doing } from '../../components/toast';
import { t } from '../../i18n';
import { learnRtmpBase, rtmpBase } from '../../model/rtmp';
import { moment } from '../../model/time';
import type { Known } from '../channel';
import { useEffect } from 'preact/hooks';

export function PublishTab({ known: { name, source } }: { known: Known }) {
  const issued = useSignal<Ingest | undefined>(undefined);
  const hours = useSignal(24);
  useEffect(() => { void learnRtmpBase(); }, []);
  const at = name.lastIndexOf('/');
  const issue = () => doing(async () => {
    if (source === undefined) return;
    const path = `/v1/rooms/${encodeURIComponent(source.room_id)}/members/${encodeURIComponent(source.user_id)}/ingests`;
    issued.value = await post<Ingest>(path, { source: source.source, ttl_s: hours.value * 3_600 });
  });
  return (
    <div class="publish-tab">
      {issued.value === undefined
        ? <PublishHelp server={`${rtmpBase.value}/${name.slice(0, at)}`} streamKey={name.slice(at + 1)} />
        : (
          <>
            <PublishHelp server={issued.value.server ?? `${rtmpBase.value}/${name.slice(0, at)}`} streamKey={issued.value.stream_key} />
            <p class="note"><Icon name="key" /><span>{t('publish.expires', { time: moment(issued.value.expires_at, t.tag) })}</span></p>
          </>
        )}
      {source !== undefined && (
        <div class="inline-form">
          <Field name={t('publish.hours')}>
            <select value={String(hours.value)} onChange={(event) => { hours.value = Number(event.currentTarget.value); }}>
              {[1, 24, 168, 720].map((value) => <option key={value} value={value}>{t(`publish.${value}h` as 'publish.1h')}</option>)}
            </select>
          </Field>
          <button type="button" class="button" onClick={() => void issue()}><Icon name="key" />{t('publish.issue')}</button>
        </div>
      )}
    </div>
  );
}
