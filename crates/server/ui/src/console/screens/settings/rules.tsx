// Exceptions to the policy: record templates, and the rules that name them.

import { useSignal } from '@preact/signals';
import { ask, get } from '../../api/client';
import { useData } from '../../api/data';
import type { Page, RecordTemplate, Rule } from '../../api/types';
import { Icon } from '../../components/icon';
import { Checks, Field, Shown } from '../../components/parts';
import { doing } from '../../components/toast';
import { t } from '../../i18n';
import { FORMATS } from '../channel/recordings';

export function RulesCard() {
  const data = useData(async (signal) => {
    const [rules, templates] = await Promise.all([get<Page<Rule>>('/v1/rules', signal), get<Page<RecordTemplate>>('/v1/record-templates', signal)]);
    return { rules: rules.items, templates: templates.items };
  }, []);
  const remove = (path: string) => doing(() => ask('DELETE', path)).then(data.reload);
  return (
    <section class="card stack" aria-labelledby="rules">
      <h2 id="rules">{t('rules.title')}</h2>
      <p class="dim">{t('rules.text')}</p>
      <Shown of={data}>{({ rules, templates }) => (
        <>
          {templates.length + rules.length > 0 && (
            <ul class="list">
              {templates.map(({ name, formats, segment_s }) => (
                <li key={`t-${name}`} class="list-row">
                  <p class="list-main"><span class="dim">{t('rules.template')}</span> <span class="strong" translate={false}>{name}</span> <span class="formats" translate={false}>{formats.join(' + ').toUpperCase() || '–'} · {segment_s} s</span></p>
                  <button type="button" class="icon-button" aria-label={t('rules.remove', { name })} onClick={() => void remove(`/v1/record-templates/${name}`)}><Icon name="trash" /></button>
                </li>
              ))}
              {rules.map(({ name, app_id, stream_id, template, bypass }) => (
                <li key={`r-${name}`} class="list-row">
                  <p class="list-main"><span class="dim">{t('rules.rule')}</span> <span class="strong" translate={false}>{name}</span> <span class="dim small" translate={false}>{[app_id, stream_id].filter((part) => part !== null).join(' / ') || '*'}{template === null ? '' : ` → ${template}`}{bypass === null ? '' : ` · bypass ${bypass ? '✓' : '✗'}`}</span></p>
                  <button type="button" class="icon-button" aria-label={t('rules.remove', { name })} onClick={() => void remove(`/v1/rules/${name}`)}><Icon name="trash" /></button>
                </li>
              ))}
            </ul>
          )}
          <TemplateForm onDone={data.reload} />
          {templates.length > 0 && <RuleForm templates={templates} onDone={data.reload} />}
        </>
      )}</Shown>
    </section>
  );
}

function TemplateForm({ onDone }: { onDone: () => void }) {
  const name = useSignal('');
  const formats = useSignal<readonly string[]>(['mp4']);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!await doing(() => ask('PUT', `/v1/record-templates/${encodeURIComponent(name.value)}`, { body: { formats: formats.value } }), t('settings.saved'))) return;
    name.value = '';
    onDone();
  };
  return (
    <form class="inline-form" onSubmit={(event) => void submit(event)}>
      <Field name={t('rules.template.name')}><input type="text" required pattern="[A-Za-z0-9_.\-]+" maxLength={64} value={name.value} onInput={(event) => { name.value = event.currentTarget.value; }} /></Field>
      <Checks name={t('record.formats')} words={FORMATS} chosen={formats.value} onChange={(chosen) => { formats.value = chosen; }} show={(format) => format.toUpperCase()} />
      <button type="submit" class="button"><Icon name="plus" />{t('rules.template.add')}</button>
    </form>
  );
}

function RuleForm({ templates, onDone }: { templates: readonly RecordTemplate[]; onDone: () => void }) {
  const name = useSignal('');
  const stream = useSignal('');
  const template = useSignal(templates[0]?.name ?? '');
  const submit = async (event: Event) => {
    event.preventDefault();
    const body = { template: template.value, ...(stream.value === '' ? {} : { stream_id: stream.value }) };
    if (!await doing(() => ask('PUT', `/v1/rules/${encodeURIComponent(name.value)}`, { body }), t('settings.saved'))) return;
    name.value = '';
    onDone();
  };
  return (
    <form class="inline-form" onSubmit={(event) => void submit(event)}>
      <Field name={t('rules.rule.name')}><input type="text" required pattern="[A-Za-z0-9_.\-]+" maxLength={64} value={name.value} onInput={(event) => { name.value = event.currentTarget.value; }} /></Field>
      <Field name={t('rules.stream')}><input type="text" value={stream.value} onInput={(event) => { stream.value = event.currentTarget.value; }} /></Field>
      <Field name={t('rules.template')}>
        <select value={template.value} onChange={(event) => { template.value = event.currentTarget.value; }}>{templates.map((one) => <option key={one.name} value={one.name} translate={false}>{one.name}</option>)}</select>
      </Field>
      <button type="submit" class="button"><Icon name="plus" />{t('rules.rule.add')}</button>
    </form>
  );
}
