// Callback endpoints, and what is on its way to them.

import { useSignal } from '@preact/signals';
import { get } from '../api/client';
import { useData } from '../api/data';
import type { Page, Webhook } from '../api/types';
import { Icon } from '../components/icon';
import { Empty, Heading, Shown } from '../components/parts';
import { t } from '../i18n';
import { place, setQuery } from '../router';
import { Deliveries } from './callbacks/deliveries';
import { EndpointDialog } from './callbacks/endpoint-dialog';
import { EndpointRow } from './callbacks/endpoint-row';
import { Sample } from './callbacks/sample';

export function Callbacks() {
  const webhooks = useData((signal) => get<Page<Webhook>>('/v1/webhooks', signal), [], { everyMs: 5_000, on: ['webhook.'] });
  const adding = useSignal(false);
  const refused = webhooks.refusal.value?.reason === 'SERVICE_NOT_ENABLED';
  const chosen = place.value.query.endpoint ?? '';
  return (
    <>
      <Heading title={t('nav.callbacks')}>
        {!refused && <button type="button" class="button primary" data-action="new-endpoint" onClick={() => { adding.value = true; }}><Icon name="plus" />{t('callbacks.new')}</button>}
      </Heading>
      {refused ? <Empty icon="callbacks" text={t('callbacks.off')} /> : (
        <Shown of={webhooks}>{({ items }) => {
          const webhook = items.find(({ webhook_id }) => webhook_id === chosen) ?? items[0];
          if (webhook === undefined) return <div class="stack"><Empty icon="callbacks" text={t('callbacks.empty')}><p class="dim">{t('callbacks.empty.how')}</p></Empty><Sample profile="native" /></div>;
          return (
            <div class="split">
              <ul class="list endpoints">
                {items.map((one) => (
                  <EndpointRow key={one.webhook_id} webhook={one} chosen={one === webhook} onChoose={() => setQuery({ endpoint: one.webhook_id })} onChange={webhooks.reload} />
                ))}
              </ul>
              <Deliveries key={webhook.webhook_id} webhook={webhook} onChange={webhooks.reload} />
            </div>
          );
        }}</Shown>
      )}
      {adding.value && <EndpointDialog onClose={() => { adding.value = false; webhooks.reload(); }} />}
    </>
  );
}
