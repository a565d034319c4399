// Which amount counts, from tomorrow on.

import { ask, get } from '../../api/client';
import { useData } from '../../api/data';
import { Field, Shown } from '../../components/parts';
import { doing } from '../../components/toast';
import { t, word } from '../../i18n';

const MODES = ['traffic', 'peak_bandwidth', 'package'] as const;

export function BillingCard() {
  const billing = useData((signal) => get<{ mode: string; next: string | null }>('/v1/billing-mode', signal), []);
  const change = (mode: string) => doing(() => ask('PUT', '/v1/billing-mode', { body: { mode } }), t('billing.changed')).then(billing.reload);
  return (
    <section class="card stack" aria-labelledby="billing">
      <h2 id="billing">{t('billing.title')}</h2>
      <Shown of={billing}>{({ mode, next }) => (
        <Field name={next === null ? t('billing.mode') : t('billing.next', { mode: word('billing', mode) })}>
          <select class="narrow" value={next ?? mode} onChange={(event) => void change(event.currentTarget.value)}>
            {MODES.map((one) => <option key={one} value={one}>{word('billing', one)}</option>)}
          </select>
        </Field>
      )}</Shown>
    </section>
  );
}
