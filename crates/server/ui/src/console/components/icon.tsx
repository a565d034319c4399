// The console's icons, drawn for it on a 24-unit grid; the states' shapes are the watch page's.

import { Icon as PlayerIcon, type IconName as PlayerIconName } from '../../shared/icons';

const LINES = {
  live: 'M4 6.5h16v11H4zM10 9.5v5l4.500-2.500z',
  rooms: 'M8.500 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.500 19c0-3.300 2.700-5.500 6-5.500s6 2.200 6 5.500M16 5.200a3 3 0 0 1 0 5.600M17.500 13.800c2.300.600 4 2.500 4 5.200',
  recordings: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z',
  targets: 'M4 12h11M11 6.500l5.500 5.500-5.500 5.500M20 5v14',
  callbacks: 'M5 8.500h10.500a4 4 0 0 1 0 8H8M8.500 5 5 8.500 8.500 12M10.500 14l-2.500 2.500 2.500 2.500',
  usage: 'M4 19.500h16M6.500 19.500v-6M12 19.500V5M17.500 19.500V9.500',
  settings: 'M5 7.500h8M17 7.500h2M5 16.500h2M11 16.500h8M15 9.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM9 18.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  search: 'M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zM15.500 15.500 20 20',
  grid: 'M4.500 4.500h6v6h-6zM13.500 4.500h6v6h-6zM4.500 13.500h6v6h-6zM13.500 13.500h6v6h-6z',
  rows: 'M4.500 6.500h15M4.500 12h15M4.500 17.500h15',
  viewers: 'M2.500 12C4.500 8 8 5.800 12 5.800S19.500 8 21.500 12c-2 4-5.500 6.200-9.500 6.200S4.500 16 2.500 12zM12 14.800a2.800 2.800 0 1 0 0-5.600 2.800 2.800 0 0 0 0 5.600z',
  download: 'M12 4.500v10.500M7.500 11l4.500 4.500 4.500-4.500M5 19.500h14',
  trash: 'M5 7h14M9.500 7V4.500h5V7M7 7l.800 12.500h8.400L17 7M10.500 10.500v5.500M13.500 10.500v5.500',
  plus: 'M12 5v14M5 12h14',
  back: 'M14.500 5.500 8 12l6.500 6.500',
  open: 'M13.500 5H19v5.500M19 5l-8 8M10.500 6H5.500v12.500H18v-5',
  pencil: 'M5 19l1-4L16 5l3 3L9 18z',
  repeat: 'M19 12a7 7 0 1 1-2.200-5.100M19 4.500V8h-3.500',
  send: 'M4.500 12 20 4.500 15 20l-3.500-6.500z',
  stop: 'M6.500 6.500h11v11h-11z',
  ban: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM6.500 6.500l11 11',
  drop: 'M9 5H5v14h4M13 8l-4 4 4 4M9 12h11',
  key: 'M8 15.500a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 11.500h8.500M17 11.500v3.500M20 11.500v2.500',
  lock: 'M6.500 11h11v8.500h-11zM8.500 11V8a3.500 3.500 0 0 1 7 0v3',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  warn: 'M12 4 21 19.500H3zM12 10v4.500M12 17h.01',
  chevron: 'M7 10l5 5 5-5',
} as const;

export type IconName = keyof typeof LINES | PlayerIconName;

export function Icon({ name }: { name: IconName }) {
  if (!(name in LINES)) return <PlayerIcon name={name as PlayerIconName} />;
  return (
    <svg class={`icon line icon-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={LINES[name as keyof typeof LINES]} fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
