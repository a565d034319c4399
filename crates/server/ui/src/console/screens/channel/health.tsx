// How a stream is: figures now, and the last five minutes as plots.

import { bitrate, bytes, count, frameRate, resolution } from '../../../shared/format';
import type { StreamDetail } from '../../api/types';
import { Chart, type Series } from '../../components/chart';
import { Icon } from '../../components/icon';
import { Empty, Figure } from '../../components/parts';
import { t } from '../../i18n';
import { health } from '../../model/history';
import { clock } from '../../model/time';
import type { Known } from '../channel';

const MINUTES_S = 300;

/** What is kept of a stream each second: bitrate of video and audio, frame rate, A/V offset, viewers, GOP, gaps. */
export function sampleOf(detail: StreamDetail): (number | undefined)[] {
  const of = (kind: string) => detail.tracks.find((track) => track.kind === kind);
  const live = detail.state === 'live';
  return [
    live ? of('video')?.bitrate_bps : 0, live ? of('audio')?.bitrate_bps : 0, live ? of('video')?.rate : 0,
    detail.timing.av_offset_ms ?? undefined, detail.viewers.count, detail.gop_ms === null ? undefined : detail.gop_ms / 1000, detail.timing.gaps,
  ];
}

export function HealthTab({ known: { name, detail } }: { known: Known }) {
  if (detail === undefined) return <Empty icon="waiting" text={t('health.none')} />;
  return <div class="health"><Warnings detail={detail} /><Plots name={name} detail={detail} /></div>;
}

/** The figures of this moment; beside every tab. */
export function Figures({ detail }: { detail: StreamDetail }) {
  const video = detail.tracks.find(({ kind }) => kind === 'video');
  const audio = detail.tracks.find(({ kind }) => kind === 'audio');
  const protocols = Object.entries(detail.viewers.by_protocol);
  const offset = detail.timing.av_offset_ms;
  return (
    <dl class="card figure-grid">
      <Figure name={t('health.video')} field="video">{video === undefined ? '–' : `${video.codec} ${resolution(video.width ?? 0, video.height ?? 0)}`}</Figure>
      <Figure name={t('health.audio')} field="audio">{audio === undefined ? '–' : `${audio.codec} ${audio.sample_rate === null ? '' : `${audio.sample_rate / 1000} kHz`}`}</Figure>
      <Figure name={t('health.bitrate')} field="bitrate">{bitrate(detail.bitrate_bps, t.tag)}</Figure>
      <Figure name={t('health.fps')} field="fps">{frameRate(video?.rate, t.tag)}</Figure>
      <Figure name={t('health.gop')} field="gop">{detail.gop_ms === null ? '–' : `${(detail.gop_ms / 1000).toFixed(1)} s`}</Figure>
      <Figure name={t('health.av')} field="av">{offset === null ? '–' : `${offset} ms`}</Figure>
      <Figure name={t('health.gaps')} field="gaps">{count(detail.timing.gaps, t.tag)}</Figure>
      <Figure name={t('health.viewers')} field="viewers">{protocols.length === 0 ? count(detail.viewers.count, t.tag)
        : `${detail.viewers.count} (${protocols.map(([protocol, many]) => `${protocol} ${many}`).join(', ')})`}</Figure>
      <Figure name={t('health.lag')} field="lag">{t('health.skips', { skips: detail.drops.skips, frames: detail.drops.frames_missed })}</Figure>
      <Figure name={t('health.traffic')} field="traffic">{`${bytes(detail.bytes_in, t.tag)} → ${bytes(detail.bytes_out, t.tag)}`}</Figure>
      {detail.publisher !== null && <Figure name={t('health.publisher')} field="publisher">{`${detail.publisher.protocol} ${detail.publisher.peer ?? ''}`}</Figure>}
      {detail.publisher !== null && <Figure name={t('health.client')} field="client">{detail.publisher.client || '–'}</Figure>}
    </dl>
  );
}

/** What viewers or containers have trouble with. */
function Warnings({ detail }: { detail: StreamDetail }) {
  const words = [
    ...detail.hls.left_out.map((text) => `HLS: ${text}`),
    ...detail.tracks.flatMap(({ unconfigured }) => (unconfigured === null ? [] : [unconfigured])),
  ];
  if (Math.abs(detail.timing.av_offset_ms ?? 0) > 500) words.push(t('health.warn.av', { ms: detail.timing.av_offset_ms ?? 0 }));
  if ((detail.gop_ms ?? 0) > 10_000) words.push(t('health.warn.gop', { seconds: Math.round((detail.gop_ms ?? 0) / 1000) }));
  return <>{words.map((text) => <p key={text} class="note tone-warn"><Icon name="warn" /><span translate={false}>{text}</span></p>)}</>;
}

function Plots({ name, detail }: { name: string; detail: StreamDetail }) {
  const samples = health.last(name, MINUTES_S);
  const now = samples[samples.length - 1]?.at ?? 0;
  // Seconds before now, so that the axis has round numbers.
  const times = samples.map(({ at }) => at - now);
  const list = (index: number) => samples.map(({ values }) => values[index] ?? null);
  const span = { from: Math.min(-60, times[0] ?? 0), to: 0 };
  const ago = (at: number) => (at > -1 ? t('chart.now') : `−${clock(-at).replace(/^0:0?/, '')}`);
  const plot = (title: string, indices: readonly number[], series: readonly Series[], show: (value: number) => string, least: number, fromZero = true) => (
    <Chart
      title={title} series={series} data={[times, ...indices.map(list)]} show={show} showTime={ago} span={span} fromZero={fromZero} least={least} marks={[10, 15, 30, 60]} height={92}
      summary={summary(samples.map(({ values }) => indices.reduce<number | undefined>((sum, index) => (values[index] === undefined ? sum : (sum ?? 0) + (values[index] ?? 0)), undefined)), show)}
    />
  );
  const has = (kind: string) => detail.tracks.some((track) => track.kind === kind);
  return (
    <div class="plots">
      {plot(t('health.bitrate'), [0, 1], [{ name: t('health.video'), tone: 'accent' }, { name: t('health.audio'), tone: 'ok' }], (value) => bitrate(value, t.tag), 100_000)}
      {has('video') && plot(t('health.fps'), [2], [{ name: t('health.fps'), tone: 'accent' }], (value) => `${Math.round(value * 10) / 10} fps`, 5)}
      {has('video') && has('audio') && plot(t('health.av'), [3], [{ name: t('health.av'), tone: 'warn' }], (value) => `${Math.round(value)} ms`, 10, false)}
      {has('video') && plot(t('health.gop'), [5], [{ name: t('health.gop'), tone: 'ok' }], (value) => `${Math.round(value * 10) / 10} s`, 1)}
      {plot(t('health.gaps'), [6], [{ name: t('health.gaps'), tone: 'live' }], (value) => (Number.isInteger(value) ? String(value) : ''), 4)}
      {plot(t('health.viewers'), [4], [{ name: t('health.viewers'), tone: 'forbidden' }], (value) => (Number.isInteger(value) ? String(value) : ''), 4)}
    </div>
  );
}

function summary(values: readonly (number | undefined)[], show: (value: number) => string): string {
  const known = values.filter((value): value is number => value !== undefined);
  const last = known[known.length - 1];
  if (last === undefined) return t('chart.nothing');
  return t('chart.summary', { now: show(last), least: show(Math.min(...known)), most: show(Math.max(...known)) });
}
