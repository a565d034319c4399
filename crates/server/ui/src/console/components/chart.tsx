// A plot with its summary in words and its values as a table. uPlot draws; axes and colours are ours.

import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { t } from '../i18n';

export interface Series {
  name: string;
  /** The name is the server's, not a message. */
  raw?: boolean;
  /** Name of a colour of the tokens. */
  tone: 'accent' | 'ok' | 'warn' | 'live' | 'forbidden';
}

export interface ChartProps {
  title: string;
  /** One sentence: what is to be seen. */
  summary: string;
  series: readonly Series[];
  /** Seconds (Unix, or of the page's clock), then one list a series. */
  data: readonly (readonly (number | null | undefined)[])[];
  /** A value with its unit. */
  show: (value: number) => string;
  /** What stands under the time axis; the difference to now for live plots. */
  showTime: (at: number) => string;
  height?: number;
  /** Zero is in sight. */
  fromZero?: boolean;
  /** The axis reaches at least this far up. */
  least?: number;
  /** Distances that the marks of time may have. */
  marks?: readonly number[];
  /** Seconds that the axis spans at least, up to the newest value. */
  span?: { from: number; to: number } | undefined;
}

const dark = window.matchMedia('(prefers-color-scheme: dark)');

export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const theme = useSignal(dark.matches);
  const names = props.series.map(({ name }) => name).join();

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element, latest), latest.current.data as uPlot.AlignedData, element);
    };
    const onTheme = () => { theme.value = dark.matches; draw(); };
    const resized = new ResizeObserver(() => {
      if (element.clientWidth > 0) plot.current?.setSize({ width: element.clientWidth, height: latest.current.height ?? 130 });
    });
    draw();
    dark.addEventListener('change', onTheme);
    resized.observe(element);
    return () => {
      dark.removeEventListener('change', onTheme);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names]);
  useEffect(() => { plot.current?.setData(props.data as uPlot.AlignedData); }, [props.data]);

  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{props.title}</span>
        {props.series.length > 1 && <span class="legend">{props.series.map(({ name, tone, raw = false }) => <span key={name} class={`legend-entry tone-${tone}`} translate={!raw}><i /> {name}</span>)}</span>}
        <span class="chart-summary" translate={false}>{props.summary}</span>
      </figcaption>
      <div ref={box} class="plot" role="img" aria-label={`${props.title}: ${props.summary}`} translate={false} />
      <Values {...props} />
    </figure>
  );
}

/** The values as a table, at most a hundred lines, newest first. */
function Values({ series, data, show, showTime, title }: ChartProps) {
  const open = useSignal(false);
  const [times = [], ...lists] = data;
  const indices = useComputed(() => (open.value ? 100 : 0)).value;
  const first = Math.max(0, times.length - indices);
  return (
    <details class="values" onToggle={(event) => { open.value = event.currentTarget.open; }}>
      <summary>{t('chart.table')}</summary>
      {open.value && (
        <div class="table-box" tabIndex={0} role="region" aria-label={title}>
          <table>
            <thead><tr><th scope="col">{t('table.time')}</th>{series.map(({ name, raw = false }) => <th key={name} scope="col" class="number" translate={!raw}>{name}</th>)}</tr></thead>
            <tbody translate={false}>
              {times.slice(first).map((at, index) => (
                <tr key={at}><td>{showTime(at ?? 0)}</td>{lists.map((list, column) => <td key={column} class="number">{text(list[first + index], show)}</td>)}</tr>
              )).reverse()}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

function text(value: number | null | undefined, show: (value: number) => string): string {
  return value === null || value === undefined ? '–' : show(value);
}

function options(element: HTMLElement, props: { current: ChartProps }): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim() || '#888';
  const font = `11px ${style.fontFamily}`;
  const { marks } = props.current;
  const axis = { stroke: () => resolved(element, 'dim'), font, grid: { stroke: () => resolved(element, 'line'), width: 1 }, ticks: { show: false } };
  return {
    width: Math.max(100, element.clientWidth),
    height: props.current.height ?? 130,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 14, 0, 0],
    scales: {
      x: { time: false, range: (_plot, low, high) => { const { span } = props.current; return span === undefined ? [low, high] : [span.from, span.to]; } },
      y: { range: (_plot, low, high) => range(low, high, props.current) },
    },
    axes: [
      { ...axis, size: 24, space: 70, ...(marks === undefined ? {} : { incrs: [...marks] }), values: (_plot, splits) => splits.map((at) => props.current.showTime(at)) },
      { ...axis, size: 66, space: 28, values: (_plot, splits) => splits.map((value) => props.current.show(value)) },
    ],
    series: [
      {},
      ...props.current.series.map(({ tone }) => ({
        stroke: () => resolved(element, tone), width: 1.5, points: { show: false }, spanGaps: false,
        fill: () => faint(resolved(element, tone) || colour(tone)),
      })),
    ],
  };
}

function range(low: number | null, high: number | null, { fromZero = true, least = 1 }: ChartProps): [number, number] {
  if (low === null || high === null) return [0, least];
  if (fromZero) return [0, Math.max(high * 1.1, least)];
  const room = Math.max((high - low) * 0.15, Math.abs(high) * 0.02, 1);
  return [low - room, high + room];
}

/** A token's colour in the present theme; canvases do not understand light-dark(). */
function resolved(element: HTMLElement, name: string): string {
  const probe = element.ownerDocument.createElement('span');
  probe.className = `probe-${name}`;
  element.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function faint(colour: string): string {
  return colour.replace(/^rgba?\(([^)]+)\)$/, (_whole, parts: string) => `rgb(${parts.split(/[ ,/]+/).slice(0, 3).join(' ')} / 0.1)`);
}
