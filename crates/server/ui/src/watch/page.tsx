// The watch page: header, stage with its controls, publish help, figures, addresses.

import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { CopyField } from '../shared/copy-field';
import { LANGUAGES, type Translator } from '../shared/i18n';
import { Icon } from '../shared/icons';
import { ffmpegLine, mediaPath, nameOf, publishTarget, type Address } from './address';
import { Announcer } from './announcer';
import { Controls } from './controls';
import { FiguresPanel } from './figures-panel';
import { useShortcuts } from './shortcuts';
import { fallbackReason, type Phase } from './machine';
import { Overlay, reasonText, stateWord } from './overlay';
import { PROTOCOL_NAME } from './protocol';
import type { Session } from './session';
import { storedFlag, storeFlag } from './stored';

export interface PageProps {
  address: Address;
  session: Session;
  t: Translator;
  /** Only the picture, for embedding. */
  bare: boolean;
}

export function Page({ address, session, t, bare }: PageProps) {
  const video = useRef<HTMLVideoElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const stage = useRef<HTMLDivElement>(null);
  const panelOpen = useSignal(storedFlag('watch.panel', true));
  const shortcuts = useSignal(storedFlag('watch.shortcuts', true));
  const fullscreen = useSignal(false);

  useEffect(() => {
    if (video.current !== null && canvas.current !== null) session.attach(video.current, canvas.current);
    const onChange = () => { fullscreen.value = document.fullscreenElement !== null; };
    document.addEventListener('fullscreenchange', onChange);
    return () => document.removeEventListener('fullscreenchange', onChange);
  }, []);
  useSignalEffect(() => {
    storeFlag('watch.panel', panelOpen.value);
    storeFlag('watch.shortcuts', shortcuts.value);
  });

  const toggleFullscreen = () => {
    if (document.fullscreenElement !== null) void document.exitFullscreen();
    else if (stage.current?.requestFullscreen !== undefined) void stage.current.requestFullscreen();
    // iPhones give only the video itself the whole screen.
    else (video.current as (HTMLVideoElement & { webkitEnterFullscreen?: () => void }) | null)?.webkitEnterFullscreen?.();
  };
  const togglePanel = () => { panelOpen.value = !panelOpen.value; };
  useShortcuts(session, shortcuts, toggleFullscreen, togglePanel);

  const { model } = session;
  const phase = model.value.phase;
  const paused = session.paused.value && phase === 'playing';
  const running = phase === 'playing' || phase === 'interrupted';
  const target = publishTarget(address, location.hostname, session.notice.value);
  const name = nameOf(address);

  return (
    <>
      {!bare && <a class="skip" href="#stage">{t('app.skip')}</a>}
      <header class="top">
        <StateBadge icon={paused ? 'paused' : phase} word={t(paused ? 'state.paused' : stateWord(model.value))} />
        <h1>{name}</h1>
        <Languages t={t} />
      </header>
      <main>
        <div id="stage" class="stage" ref={stage} tabIndex={-1} data-still={session.still.value}>
          <div class="picture on-dark" onDblClick={toggleFullscreen}>
            <video ref={video} playsInline aria-label={name} />
            <canvas ref={canvas} aria-hidden="true" />
            <Overlay session={session} name={name} t={t} bare={bare} />
          </div>
          {!bare && (running || phase === 'loading' || session.still.value) && (
            <Controls session={session} t={t} panelOpen={panelOpen} fullscreen={fullscreen} onFullscreen={toggleFullscreen} onPanel={togglePanel} />
          )}
        </div>
        <Fallback session={session} t={t} />
        {phase === 'waiting' && <PublishHelp target={target} t={t} />}
        <FiguresPanel figures={session.figures} open={panelOpen.value && running} t={t} />
        <details class="card" open={phase === 'unsupported'}>
          <summary>{t('open.title')}</summary>
          <CopyField label={t('open.hls')} value={new URL(mediaPath(address, 'hls'), location.href).href} t={t} />
          <CopyField label={t('open.flv')} value={new URL(mediaPath(address, 'flv'), location.href).href} t={t} />
          <CopyField label={t('open.rtmp')} value={`${target.server}/${target.key}`} t={t} />
        </details>
        <Keys enabled={shortcuts.value} onChange={(on) => { shortcuts.value = on; }} t={t} />
      </main>
      <Announcer session={session} name={name} t={t} />
    </>
  );
}

/** Shown when the page's own address names no stream. */
export function NoStream({ t }: { t: Translator }) {
  return (
    <>
      <header class="top"><StateBadge icon="error" word={t('state.trouble')} /><h1>sidestream</h1><Languages t={t} /></header>
      <main><p class="card">{t('error.address')}</p></main>
    </>
  );
}

function StateBadge({ icon, word }: { icon: Phase | 'paused'; word: string }) {
  return <p class={`badge badge-${icon}`}><Icon name={icon} />{word}</p>;
}

function Languages({ t }: { t: Translator }) {
  return (
    <nav class="languages" aria-label={t('app.language')}>
      {LANGUAGES.filter((language) => language.tag !== t.tag).map((language) => {
        const params = new URLSearchParams(location.search);
        params.set('lang', language.tag);
        return <a key={language.tag} href={`?${params}`} lang={language.tag} hreflang={language.tag}>{language.name}</a>;
      })}
    </nav>
  );
}

function Fallback({ session, t }: { session: Session; t: Translator }) {
  const dismissed = useSignal<unknown>(undefined);
  const failure = useComputed(() => fallbackReason(session.model.value));
  const model = session.model.value;
  const used = model.order[model.index];
  if (failure.value === undefined || used === undefined || failure.value === dismissed.value) return null;
  if (model.phase !== 'playing' && model.phase !== 'interrupted') return null;
  return (
    <div class="notice" data-fallback={failure.value.kind}>
      <Icon name="interrupted" />
      <p>{t('fallback.text', { used: PROTOCOL_NAME[used], failed: PROTOCOL_NAME[failure.value.protocol], reason: reasonText(failure.value, t) })}</p>
      <button type="button" class="icon-button" aria-label={t('fallback.close')} title={t('fallback.close')} onClick={() => { dismissed.value = failure.value; }}>
        <Icon name="close" />
      </button>
    </div>
  );
}

function PublishHelp({ target, t }: { target: { server: string; key: string }; t: Translator }) {
  return (
    <section class="card publish" aria-labelledby="publish-title">
      <h2 id="publish-title">{t('waiting.how')}</h2>
      <p class="dim">{t('waiting.obs')}</p>
      <div class="pair">
        <CopyField label={t('waiting.server')} value={target.server} t={t} />
        <CopyField label={t('waiting.key')} value={target.key} t={t} />
      </div>
      <CopyField label={t('waiting.ffmpeg')} value={ffmpegLine(target)} t={t} />
    </section>
  );
}

function Keys({ enabled, onChange, t }: { enabled: boolean; onChange: (on: boolean) => void; t: Translator }) {
  const rows: [string[], string][] = [
    [[t('keys.space'), 'k'], t('keys.play')],
    [['m'], t('keys.mute')],
    [['f'], t('keys.fullscreen')],
    [['i'], t('keys.panel')],
    [['↑', '↓'], t('keys.volume')],
    [['←', '→'], t('keys.seek')],
  ];
  return (
    <details class="card keys">
      <summary>{t('keys.title')}</summary>
      <label class="switch">
        <input type="checkbox" role="switch" checked={enabled} onChange={(event) => onChange(event.currentTarget.checked)} />
        <span>{t('keys.enabled')}</span>
      </label>
      <dl>
        {rows.map(([keys, what]) => (
          <div key={what}><dt>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dt><dd>{what}</dd></div>
        ))}
      </dl>
    </details>
  );
}
