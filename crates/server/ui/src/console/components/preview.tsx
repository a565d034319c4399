// A card's picture: the still; after the pointer rested on it, or with Enter, the stream itself, muted. One plays at a time.

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { addressOf } from '../model/player';
import { detectAbilities, Session } from '../../watch/session';
import { Icon } from './icon';
import { Still } from './still';
import { t } from '../i18n';

const REST_MS = 700;
const playing = signal('');

export function Preview({ name, live, href }: { name: string; live: boolean; href: string }) {
  const timer = useRef<number | undefined>(undefined);
  const leave = () => {
    window.clearTimeout(timer.current);
    if (playing.value === name) playing.value = '';
  };
  useEffect(() => leave, [name]);
  const active = live && playing.value === name;
  return (
    <div
      class="preview"
      onPointerEnter={(event) => {
        if (live && event.pointerType === 'mouse') timer.current = window.setTimeout(() => { playing.value = name; }, REST_MS);
      }}
      onPointerLeave={leave}
    >
      <a href={href} class="preview-link" tabIndex={-1} aria-hidden="true">
        {active ? <Muted name={name} /> : <Still name={name} live={live} />}
      </a>
      {live && (
        <button
          type="button" class={`preview-play${active ? ' active' : ''}`} aria-pressed={active} aria-label={t('live.preview', { stream: name })}
          onClick={() => { playing.value = active ? '' : name; }} onBlur={leave}
        >
          <Icon name={active ? 'pause' : 'play'} />
        </button>
      )}
    </div>
  );
}

function Muted({ name }: { name: string }) {
  const video = useRef<HTMLVideoElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (video.current === null || canvas.current === null) return undefined;
    const session = new Session(addressOf(name, 'flv', ''), detectAbilities());
    session.attach(video.current, canvas.current);
    return () => session.close();
  }, [name]);
  return (
    <div class="still on-dark">
      <Icon name="loading" />
      <video ref={video} muted playsInline aria-hidden="true" tabIndex={-1} />
      <canvas ref={canvas} hidden />
    </div>
  );
}
