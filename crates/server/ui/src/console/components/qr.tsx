// A QR code as an SVG of our own making.

import { qr } from '../model/qr';

export function Qr({ text, label }: { text: string; label: string }) {
  const modules = qr(text);
  if (modules === undefined) return null;
  const size = modules.length + 8;
  const path = modules.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : ''))).join('');
  return (
    <figure class="qr">
      <svg viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shape-rendering="crispEdges"><rect width={size} height={size} fill="#fff" /><path d={path} fill="#000" /></svg>
      <figcaption class="dim small">{label}</figcaption>
    </figure>
  );
}
