// The policy as a form. Only what differs is sent, with the version that was read: who was faster is not overwritten.

import { useSignal } from '@preact/signals';
import { ask, get } from '../../api/client';
import { useData } from '../../api/data';
import { Icon } from '../../components/icon';
import { Checks, Field, Shown, Switch } from '../../components/parts';
import { doing } from '../../components/toast';
import { t, word, type Key } from '../../i18n';
import { GROUPS, patchOf, valueAt, withValue, type Policy, type PolicyField } from '../../model/policy';

export function PolicyEditor() {
  const policy = useData((signal) => get<Policy>('/v1/policy', signal), []);
  const edited = useSignal<Policy | undefined>(undefined);
  return (
    <section class="card stack" aria-labelledby="policy">
      <h2 id="policy">{t('settings.policy')}</h2>
      <p class="dim">{t('settings.policy.text')}</p>
      <Shown of={policy}>{(found) => {
        const now = edited.value ?? found;
        const patch = patchOf(found, now);
        const changed = Object.keys(patch).length > 0;
        const save = async (event: Event) => {
          event.preventDefault();
          const done = await doing(() => ask('PATCH', '/v1/policy', { body: patch, headers: { 'If-Match': String(found.etag) } }), t('settings.saved'));
          if (!done) return;
          edited.value = undefined;
          policy.reload();
        };
        return (
          <form class="stack" onSubmit={(event) => void save(event)}>
            {GROUPS.map(({ name, fields }) => (
              <fieldset key={name} class="policy-group">
                <legend>{t(`policy.${name}`)}</legend>
                <div class="form-grid">
                  {fields.map((field) => <PolicyInput key={field.path} field={field} policy={now} onChange={(value) => { edited.value = withValue(now, field.path, value); }} />)}
                </div>
              </fieldset>
            ))}
            <footer class="form-foot">
              {changed && <pre translate={false} tabIndex={0}>{`PATCH /v1/policy ${JSON.stringify(patch)}`}</pre>}
              <button type="button" class="button" disabled={!changed} onClick={() => { edited.value = undefined; }}>{t('settings.reset')}</button>
              <button type="submit" class="button primary" data-action="save-policy" disabled={!changed}><Icon name="check" />{t('settings.save')}</button>
            </footer>
          </form>
        );
      }}</Shown>
    </section>
  );
}

function PolicyInput({ field: { path, field }, policy, onChange }: { field: PolicyField; policy: Policy; onChange: (value: unknown) => void }) {
  const value = valueAt(policy, path);
  const name = t(`policy.${path}` as Key);
  switch (field.kind) {
    case 'switch': return <Switch name={name} on={value === true} onChange={onChange} />;
    case 'words': return <Checks name={name} words={field.words} chosen={(value as string[] | undefined) ?? []} onChange={onChange} show={(one) => one.toUpperCase()} />;
    case 'word': return (
      <Field name={name}>
        <select value={String(value)} onChange={(event) => onChange(event.currentTarget.value)}>
          {field.words.map((one) => <option key={one} value={one}>{word('policy.word', one)}</option>)}
        </select>
      </Field>
    );
    case 'text': return <Field name={name}><input type="text" value={String(value ?? '')} onInput={(event) => onChange(event.currentTarget.value)} /></Field>;
    case 'seconds':
    case 'number': return (
      <Field name={field.kind === 'seconds' ? t('policy.in-seconds', { name }) : name}>
        <input
          type="number" required min={field.kind === 'seconds' ? field.least : 0} max={field.most} step="1" value={Number(value)}
          onInput={(event) => { if (!Number.isNaN(event.currentTarget.valueAsNumber)) onChange(event.currentTarget.valueAsNumber); }}
        />
      </Field>
    );
  }
}
