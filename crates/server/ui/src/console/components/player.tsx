// The watch page's player inside a screen: muted, with its controls.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { Controls } from '../../watch/controls';
import { FiguresPanel } from '../../watch/figures-panel';
import { Overlay } from '../../watch/overlay';
import { detectAbilities, Session } from '../../watch/session';
import { t } from '../i18n';
import { addressOf, playCredentials } from '../model/player';
import { store, stored } from '../stored';

export function Player({ name }: { name: string }) {
  const credentials = useSignal('');
  const tried = useRef(false);
  const session = useMemo(() => new Session(addressOf(name, 'hls', credentials.value), detectAbilities()), [name, credentials.value]);
  const video = useRef<HTMLVideoElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const stage = useRef<HTMLDivElement>(null);
  const fullscreen = useSignal(false);
  const panel = useSignal(stored('console.panel') === '1');

  useEffect(() => {
    if (video.current !== null && canvas.current !== null) session.attach(video.current, canvas.current);
    const onChange = () => { fullscreen.value = document.fullscreenElement !== null; };
    document.addEventListener('fullscreenchange', onChange);
    return () => {
      document.removeEventListener('fullscreenchange', onChange);
      session.close();
    };
  }, [session]);
  // A stream that is not open to all: a key for it, once.
  const model = session.model.value;
  useEffect(() => {
    if (model.trouble !== 'forbidden' || tried.current) return;
    tried.current = true;
    void playCredentials(name).then((query) => { credentials.value = query; });
  }, [model.trouble]);

  const toggleFullscreen = () => {
    if (document.fullscreenElement !== null) void document.exitFullscreen();
    else void stage.current?.requestFullscreen?.();
  };
  const running = model.phase === 'playing' || model.phase === 'interrupted';
  return (
    <div class="player" data-player={model.phase}>
      <div class="stage" ref={stage} data-still={session.still.value}>
        <div class="picture on-dark">
          <video ref={video} playsInline aria-label={name} />
          <canvas ref={canvas} aria-hidden="true" />
          <Overlay session={session} name={name} t={t} bare />
        </div>
        {(running || model.phase === 'loading' || session.still.value) && (
          <Controls
            session={session} t={t} panelOpen={panel} fullscreen={fullscreen} onFullscreen={toggleFullscreen}
            onPanel={() => { panel.value = !panel.value; store('console.panel', panel.value ? '1' : '0'); }}
          />
        )}
      </div>
      <div translate={false}><FiguresPanel figures={session.figures} open={panel.value && running} t={t} /></div>
    </div>
  );
}
