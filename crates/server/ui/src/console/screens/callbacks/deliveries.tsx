// Deliveries of an endpoint: their attempts with answers, what was sent, dead letters, retries and replays.

import { useSignal } from '@preact/signals';
import { get, post } from '../../api/client';
import { useData } from '../../api/data';
import type { Delivery, DeliveryDetail, Event, Page, Webhook } from '../../api/types';
import { Dialog } from '../../components/dialog';
import { Icon } from '../../components/icon';
import { Choices, Empty, Field, Shown } from '../../components/parts';
import { State } from '../../components/state';
import { complain, doing, say } from '../../components/toast';
import { t } from '../../i18n';
import { seqOf } from '../../model/event-id';
import { fullMoment, moment } from '../../model/time';
import { place, setQuery } from '../../router';

const STATES = ['', 'waiting', 'delivered', 'dead'] as const;

export function Deliveries({ webhook, onChange }: { webhook: Webhook; onChange: () => void }) {
  const path = `/v1/webhooks/${webhook.webhook_id}`;
  const { state = '' } = place.value.query;
  const replaying = useSignal(false);
  const found = useData(async (signal) => {
    const of = (wanted: string) => get<Page<Delivery>>(`${path}/deliveries?limit=100${wanted === '' ? '' : `&state=${wanted}`}`, signal);
    const [shown, delivered, dead] = await Promise.all([of(state), of('delivered'), of('dead')]);
    return { items: shown.items, delivered: delivered.items.length, dead: dead.items.length };
  }, [path, state], { everyMs: 2_000 });
  const test = async () => {
    try {
      const { acknowledged, status, took_ms, error, answer } = await post<{ acknowledged: boolean; status: number | null; took_ms: number; error: string | null; answer: string | null }>(`${path}:test`, {});
      if (acknowledged) say(t('callbacks.test.done', { status: status ?? '', ms: took_ms }));
      else complain(`${t('callbacks.test.failed')} ${error ?? `HTTP ${status ?? ''}`} ${(answer ?? '').slice(0, 80)}`);
    } catch (error) {
      complain(error);
    }
    onChange();
  };
  const names = { '': t('filter.all'), waiting: t('is.waiting'), delivered: t('is.delivered'), dead: t('is.dead') };
  return (
    <section class="stack" aria-label={t('callbacks.deliveries')}>
      <div class="deliveries-head">
        <Choices label={t('callbacks.deliveries')} chosen={state as (typeof STATES)[number]} onChoose={(id) => setQuery({ state: id })} choices={STATES.map((id) => ({ id, name: names[id] }))} />
        <div class="heading-tools">
          <button type="button" class="button" data-action="send-test" onClick={() => void test()}><Icon name="send" />{t('callbacks.test')}</button>
          <button type="button" class="button" data-action="replay" onClick={() => { replaying.value = true; }}><Icon name="repeat" />{t('callbacks.replay')}</button>
        </div>
      </div>
      <Shown of={found}>{({ items, delivered, dead }) => (
        <>
          {delivered + dead > 0 && <p class="dim small">{t('callbacks.rate', { rate: Math.round((100 * delivered) / (delivered + dead)), delivered, dead })}</p>}
          {items.length === 0 ? <Empty icon="send" text={t('callbacks.deliveries.none')} />
            : <ul class="list deliveries">{items.map((one) => <li key={one.delivery_id}><DeliveryRow delivery={one} onChange={found.reload} /></li>)}</ul>}
        </>
      )}</Shown>
      {replaying.value && <ReplayDialog path={path} onClose={() => { replaying.value = false; found.reload(); }} />}
    </section>
  );
}

function DeliveryRow({ delivery, onChange }: { delivery: Delivery; onChange: () => void }) {
  const open = useSignal(false);
  const retry = () => doing(() => post(`/v1/deliveries/${delivery.delivery_id}:retry`), t('callbacks.retried')).then(onChange);
  return (
    <details class="delivery" data-delivery={delivery.delivery_id} onToggle={(event) => { open.value = event.currentTarget.open; }}>
      <summary class="list-row">
        <Icon name="chevron" />
        <span class="list-main">
          <span class="mono wrap" translate={false}>{delivery.type}</span>{' '}
          <span class="dim small"><time dateTime={delivery.created_at} title={fullMoment(delivery.created_at, t.tag)} translate={false}>{moment(delivery.created_at, t.tag)}</time> · {t('callbacks.attempts', { count: delivery.attempts })}</span>
          {delivery.last_error !== null && delivery.state !== 'delivered' && <span class="small tone-warn block" translate={false}>{delivery.last_error}</span>}
        </span>
        <State name={delivery.state} quiet />
      </summary>
      {open.value && (
        <div class="delivery-body stack">
          <DeliveryBody delivery={delivery} />
          {delivery.state !== 'delivered' && <div><button type="button" class="button" data-action="retry" onClick={() => void retry()}><Icon name="repeat" />{t('callbacks.retry')}</button></div>}
        </div>
      )}
    </details>
  );
}

function DeliveryBody({ delivery }: { delivery: Delivery }) {
  const detail = useData((signal) => get<DeliveryDetail>(`/v1/deliveries/${delivery.delivery_id}`, signal), [delivery.delivery_id, delivery.attempts]);
  const event = useData(async (signal) => {
    const seq = seqOf(delivery.event_id);
    if (seq === undefined) return undefined;
    const page = await get<Page<Event>>(`/v1/events?after=${seq - 1n}&limit=1`, signal);
    return page.items.find(({ id }) => id === delivery.event_id);
  }, [delivery.event_id]);
  return (
    <>
      <Shown of={detail}>{({ log, due_at }) => (
        <ol class="attempts">
          {log.map((attempt) => (
            <li key={attempt.attempt} data-attempt={attempt.attempt}>
              <p><span class="strong">{t('callbacks.attempt', { number: attempt.attempt })}</span> <span class="dim small" translate={false}>{moment(attempt.at, t.tag)} · {attempt.took_ms} ms</span> <span class={attempt.status !== null && attempt.status < 300 ? 'tone-ok' : 'tone-bad'} translate={false}>{attempt.status ?? attempt.error}</span></p>
              {(attempt.answer ?? '') !== '' && <pre translate={false} tabIndex={0}>{attempt.answer}</pre>}
            </li>
          ))}
          {due_at !== null && delivery.state === 'waiting' && <li class="dim">{t('callbacks.due', { time: moment(due_at, t.tag) })}</li>}
        </ol>
      )}</Shown>
      {event.value.value !== undefined && <figure class="sample"><figcaption class="field-name">{t('callbacks.event')}</figcaption><pre data-event-body translate={false} tabIndex={0}>{JSON.stringify(event.value.value, null, 2)}</pre></figure>}
    </>
  );
}

function ReplayDialog({ path, onClose }: { path: string; onClose: () => void }) {
  const hours = useSignal(1);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const to = new Date(Date.now() + 1_000);
    const from = new Date(to.getTime() - hours.value * 3_600_000);
    try {
      const { queued } = await post<{ queued: number }>(`${path}:replay`, { from: from.toISOString(), to: to.toISOString() });
      say(t('callbacks.replayed', { count: queued }));
      onClose();
    } catch (error) {
      complain(error);
    }
  };
  return (
    <Dialog title={t('callbacks.replay')} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <p>{t('callbacks.replay.text')}</p>
        <Field name={t('callbacks.replay.span')}>
          <select value={String(hours.value)} onChange={(event) => { hours.value = Number(event.currentTarget.value); }}>
            {([1, 6, 24, 72] as const).map((count) => <option key={count} value={count}>{t('callbacks.hours', { count })}</option>)}
          </select>
        </Field>
        <footer><button type="submit" class="button primary"><Icon name="repeat" />{t('callbacks.replay')}</button></footer>
      </form>
    </Dialog>
  );
}
