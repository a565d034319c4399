// A line of the last minute, drawn on a canvas; what it shows stands beside it in words.

import { useEffect, useRef } from 'preact/hooks';
import type { Sample } from '../model/history';

const SECONDS = 60;

export function Sparkline({ samples, tone = 'accent' }: { samples: readonly Sample[]; tone?: 'accent' | 'warn' }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dark = window.matchMedia('(prefers-color-scheme: dark)').matches;
  useEffect(() => {
    if (canvas.current !== null) draw(canvas.current, samples, tone);
  }, [samples[samples.length - 1]?.at, samples.length, tone, dark]);
  return <canvas ref={canvas} class="sparkline" aria-hidden="true" />;
}

function draw(canvas: HTMLCanvasElement, samples: readonly Sample[], tone: string): void {
  const scale = window.devicePixelRatio;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const context = canvas.getContext('2d');
  if (context === null || width === 0) return;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  context.scale(scale, scale);
  const last = samples[samples.length - 1];
  if (last === undefined || samples.length < 2) return;
  const most = Math.max(1, ...samples.map(({ values }) => values[0] ?? 0)) * 1.08;
  const colour = getComputedStyle(canvas).getPropertyValue(`--${tone}`);
  const points = samples.filter(({ at }) => last.at - at <= SECONDS)
    .map(({ at, values }) => [width - 1 - ((last.at - at) / SECONDS) * (width - 2), height - 1.5 - ((values[0] ?? 0) / most) * (height - 4)] as const);
  context.beginPath();
  points.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.lineJoin = 'round';
  context.stroke();
  const [first] = points;
  if (first === undefined) return;
  context.lineTo(width - 1, height);
  context.lineTo(first[0], height);
  context.globalAlpha = 0.12;
  context.fillStyle = colour;
  context.fill();
}
