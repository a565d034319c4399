// Icons drawn for this project on a 24-unit grid; decoration only, so always beside or under a name.

const PATHS = {
  play: 'M8 5.5v13l10.5-6.5z',
  pause: 'M7 5.5h3.5v13H7zM13.5 5.5H17v13h-3.5z',
  volume: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM14.5 8.2v1.9a2.2 2.2 0 0 1 0 3.8v1.9a4 4 0 0 0 0-7.6zM14.5 4.9v1.8a5.5 5.5 0 0 1 0 10.6v1.8a7.3 7.3 0 0 0 0-14.2z',
  muted: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM21 9.9 19.6 8.5 17.5 10.6 15.4 8.5 14 9.9 16.1 12 14 14.1l1.4 1.4 2.1-2.1 2.1 2.1 1.4-1.4L18.9 12z',
  figures: 'M4 19V5h1.8v12.2H20V19zM8 15.5v-4h2.2v4zM12 15.5v-8h2.2v8zM16 15.5v-6h2.2v6z',
  expand: 'M4.5 9.5v-5h5v2h-3v3zM14.5 4.5h5v5h-2v-3h-3zM6.5 14.5v3h3v2h-5v-5zM17.5 14.5h2v5h-5v-2h3z',
  shrink: 'M7.5 4.5h2v5h-5v-2h3zM14.5 4.5h2v3h3v2h-5zM4.5 14.5h5v5h-2v-3h-3zM14.5 14.5h5v2h-3v3h-2z',
  copy: 'M8.5 4h9A1.5 1.5 0 0 1 19 5.500v10h-1.800V5.800H8.500zM6.500 7.500h8A1.500 1.500 0 0 1 16 9v9.500a1.500 1.500 0 0 1-1.500 1.500h-8A1.500 1.500 0 0 1 5 18.500V9a1.500 1.500 0 0 1 1.500-1.500zM6.800 9.300v8.900h7.400V9.300z',
  done: 'M9.6 17.6 4.4 12.400l1.500-1.500 3.700 3.700 8.500-8.500 1.500 1.500z',
  close: 'M6.500 5 12 10.500 17.500 5 19 6.500 13.500 12l5.500 5.500-1.500 1.500L12 13.500 6.500 19 5 17.500 10.500 12 5 6.500z',
  // One shape for each state, so that colour is never alone.
  loading: 'M12 4a8 8 0 1 0 8 8h-2a6 6 0 1 1-6-6z',
  waiting: 'M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17zm0 2a6.500 6.500 0 1 1 0 13 6.500 6.500 0 0 1 0-13zM11 7.500h2v4.100l2.900 2.900-1.400 1.400L11 12.400z',
  playing: 'M12 8.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7zM5.600 5.600 7 7a7 7 0 0 0 0 10l-1.400 1.400a9 9 0 0 1 0-12.800zM18.400 5.600a9 9 0 0 1 0 12.800L17 17a7 7 0 0 0 0-10z',
  paused: 'M7 5.500h3.500v13H7zM13.500 5.500H17v13h-3.500z',
  interrupted: 'M12 3.500 22 20.500H2zM11 9.500v5.500h2V9.500zM11 16.500v2h2v-2z',
  ended: 'M6 6h12v12H6z',
  unsupported: 'M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17zm0 2a6.500 6.500 0 0 1 4 1.400L6.900 16A6.500 6.500 0 0 1 12 5.500zM17.100 8A6.500 6.500 0 0 1 8 17.100z',
  error: 'M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17zM11 7.500h2v6h-2zM11 15h2v2h-2z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}
