// Where this channel is pushed to.

import { useSignal } from '@preact/signals';
import { ask, post } from '../../api/client';
import { Icon } from '../../components/icon';
import { Empty, Field } from '../../components/parts';
import { doing } from '../../components/toast';
import { t } from '../../i18n';
import { joined } from '../../model/targets';
import type { Known } from '../channel';
import { TargetList } from '../targets/list';

export function TargetsTab({ known: { name, detail, channel, reload } }: { known: Known }) {
  const rows = joined(name, channel?.channel_id, channel?.targets ?? [], detail?.targets ?? []);
  return (
    <div class="stack">
      {rows.length === 0 ? <Empty icon="targets" text={t('targets.none-here')} /> : <TargetList rows={rows} onChange={reload} showStream={false} />}
      {channel !== undefined && channel.ended_at === null && <TargetForm channelId={channel.channel_id} onDone={reload} />}
    </div>
  );
}

export function TargetForm({ channelId, onDone }: { channelId: string; onDone: () => void }) {
  const url = useSignal('');
  const title = useSignal('');
  const submit = async (event: Event) => {
    event.preventDefault();
    const body = { url: url.value.trim(), ...(title.value === '' ? {} : { name: title.value }) };
    const done = await doing(() => post(`/v1/channels/${channelId}/targets`, body), t('targets.added'));
    if (!done) return;
    url.value = '';
    title.value = '';
    onDone();
  };
  return (
    <form class="inline-form" onSubmit={(event) => void submit(event)}>
      <Field name={t('targets.url')}>
        <input type="url" required pattern="rtmps?://.+" placeholder="rtmp://…/app/key" value={url.value} autocomplete="off" onInput={(event) => { url.value = event.currentTarget.value; }} />
      </Field>
      <Field name={t('targets.name')}>
        <input type="text" maxLength={100} value={title.value} onInput={(event) => { title.value = event.currentTarget.value; }} />
      </Field>
      <button type="submit" class="button primary"><Icon name="plus" />{t('targets.add')}</button>
    </form>
  );
}

/** Ends a push. */
export async function removeTarget(channelId: string, targetId: string): Promise<boolean> {
  return doing(() => ask('DELETE', `/v1/channels/${channelId}/targets/${targetId}`), t('targets.removed'));
}
