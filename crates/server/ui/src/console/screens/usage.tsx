// What was used: traffic over time by app or protocol, what a day came to, and the table for a spreadsheet.

import { useSignal } from '@preact/signals';
import { bitrate, bytes, count } from '../../shared/format';
import { get } from '../api/client';
import { useData } from '../api/data';
import type { Page, Peaks, UsageRow } from '../api/types';
import { Chart, type Series } from '../components/chart';
import { Icon } from '../components/icon';
import { Choices, Figure, Heading, Shown } from '../components/parts';
import { doing } from '../components/toast';
import { t } from '../i18n';
import { downloadText } from '../model/download';
import { plotted, SPANS, sumOf, type Plotted, type Span } from '../model/usage';
import { place, setQuery } from '../router';

const GROUPS = ['protocol', 'app'] as const;
const TONES: readonly Series['tone'][] = ['accent', 'ok', 'warn', 'forbidden'];
const OUT = ['out', 'push'];

interface Loaded { rows: UsageRow[]; span: Span; now: number }

export function Usage() {
  const { span: asked = '', group: by = '' } = place.value.query;
  const span: Span = asked in SPANS ? asked as Span : 'day';
  const group = GROUPS.find((one) => one === by) ?? 'protocol';
  const path = () => {
    const from = new Date(Date.now() - SPANS[span].seconds * 1_000).toISOString();
    return `/v1/usage?from=${from}&granularity=${SPANS[span].granularity}&group_by=${group}`;
  };
  const usage = useData<Loaded>(async (signal) => ({ rows: (await get<Page<UsageRow>>(path(), signal)).items, span, now: Date.now() / 1000 }), [span, group], { everyMs: 10_000 });
  const day = useSignal(new Date().toISOString().slice(0, 10));
  const peaks = useData((signal) => get<Peaks>(`/v1/usage/peaks?day=${day.value}`, signal), [day.value], { everyMs: 10_000 });
  return (
    <>
      <Heading title={t('nav.usage')}>
        <button type="button" class="button" data-action="csv" onClick={() => void doing(() => downloadText(`${path()}&format=csv`, `usage-${span}.csv`))}><Icon name="download" />{t('usage.csv')}</button>
      </Heading>
      <section class="card stack day" aria-labelledby="day">
        <div class="inline-form">
          <h2 id="day">{t('usage.day')}</h2>
          <input type="date" class="date" aria-label={t('usage.date')} value={day.value} onChange={(event) => { if (event.currentTarget.value !== '') day.value = event.currentTarget.value; }} />
        </div>
        <Shown of={peaks}>{(found) => <DayFigures peaks={found} />}</Shown>
      </section>
      <div class="usage-choices">
        <Choices label={t('usage.span')} chosen={span} onChoose={(id) => setQuery({ span: id })} choices={(['day', 'week', 'month'] as const).map((id) => ({ id, name: t(`usage.span.${id}`) }))} />
        <Choices label={t('usage.by')} chosen={group} onChoose={(id) => setQuery({ group: id })} choices={GROUPS.map((id) => ({ id, name: t(`usage.by.${id}`) }))} />
      </div>
      <Shown of={usage}>{(loaded) => <Plots loaded={loaded} />}</Shown>
    </>
  );
}

function DayFigures({ peaks }: { peaks: Peaks }) {
  const { tag } = t;
  return (
    <dl class="figure-grid large-figures">
      <Figure name={t('usage.down')}>{bytes(peaks.traffic_bytes.down, tag)}</Figure>
      <Figure name={t('usage.up')}>{bytes(peaks.traffic_bytes.up, tag)}</Figure>
      <Figure name={t('usage.peak.down')}>{bitrate(peaks.peak_bps.down, tag)}</Figure>
      <Figure name={t('usage.peak.up')}>{bitrate(peaks.peak_bps.up, tag)}</Figure>
      <Figure name={t('usage.channels')}>{count(peaks.channels_peak, tag)}</Figure>
      <Figure name={t('usage.recordings')}>{count(peaks.record_channels_peak, tag)}</Figure>
    </dl>
  );
}

function Plots({ loaded: { rows, span, now } }: { loaded: Loaded }) {
  const { step } = SPANS[span];
  const rate = (names: readonly string[]) => plotted(rows, span, now, (row) => (sumOf(row.bytes, names) * 8) / step);
  const showTime = (at: number) => new Intl.DateTimeFormat(t.tag, span === 'day' ? { hour: '2-digit', minute: '2-digit', hour12: false } : { month: 'short', day: 'numeric' }).format(at * 1_000);
  const plot = (title: string, found: Plotted, show: (value: number) => string, least: number) => {
    const groups = found.groups.length > 0 ? found.groups : [{ name: t('usage.nothing'), values: found.times.map(() => 0) }];
    return (
      <div class="card">
        <Chart
          key={groups.map(({ name }) => name).join()} title={title} height={190} least={least} marks={[900, 3_600, 10_800, 21_600, 86_400, 172_800, 432_000]} show={show} showTime={showTime} span={{ from: found.from, to: found.to }}
          series={groups.map(({ name }, index) => ({ name, raw: true, tone: TONES[index] ?? 'accent' }))}
          data={[found.times, ...groups.map(({ values }) => values)]}
          summary={found.groups.length === 0 ? t('usage.nothing') : found.groups.map(({ name, values }) => `${name}: ${show(Math.max(...values))}`).join(', ')}
        />
      </div>
    );
  };
  return (
    <div class="plots">
      {plot(t('usage.out'), rate(OUT), (value) => bitrate(value, t.tag), 100_000)}
      {plot(t('usage.in'), rate(['in']), (value) => bitrate(value, t.tag), 100_000)}
      {plot(t('health.viewers'), plotted(rows, span, now, (row) => row.viewers), (value) => (Number.isInteger(value) ? count(value, t.tag) : ''), 4)}
    </div>
  );
}
