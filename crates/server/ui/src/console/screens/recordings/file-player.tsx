// Plays a recorded file: the browser itself where it can, hls.js and mpegts.js for the other containers.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { loadScript } from '../../../watch/engine';
import { FLV_SCRIPT } from '../../../watch/engine-flv';
import { HLS_SCRIPT } from '../../../watch/engine-hls';
import { authorization } from '../../api/client';
import { key } from '../../api/key';
import type { RecordedFile } from '../../api/types';
import { t } from '../../i18n';
import { objectUrl } from '../../model/download';
import { contentPath } from './files';

const WORKER = '/assets/vendor/hls.worker.js';

export function FilePlayer({ file }: { file: RecordedFile }) {
  const video = useRef<HTMLVideoElement>(null);
  const trouble = useSignal('');
  useEffect(() => {
    const element = video.current;
    if (element === null) return undefined;
    const end = new AbortController();
    let stop = () => {};
    open(file, element, end.signal).then((how) => {
      if (end.signal.aborted) how();
      else stop = how;
    }, (error: unknown) => {
      if (!end.signal.aborted) trouble.value = error instanceof Error ? error.message : String(error);
    });
    return () => {
      end.abort();
      stop();
    };
  }, [file.file_id]);
  return (
    <div class="file-player on-dark">
      <video ref={video} controls playsInline aria-label={file.name} onError={() => { trouble.value = video.current?.error?.message || t('file.unplayable'); }} />
      {trouble.value !== '' && <p class="player-note">{t('file.unplayable')} <span translate={false}>{trouble.value}</span></p>}
    </div>
  );
}

/** Opens `file` in `video`; gives what closes it. */
async function open(file: RecordedFile, video: HTMLVideoElement, signal: AbortSignal): Promise<() => void> {
  const path = contentPath(file);
  const url = new URL(path, location.href).href;
  if (file.format === 'hls' || file.format === 'hls-ts') {
    await loadScript(HLS_SCRIPT);
    const Hls = window.Hls;
    if (Hls === undefined || signal.aborted) return () => {};
    const hls = new Hls({
      enableWorker: true, workerPath: WORKER,
      xhrSetup: (request) => { for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value); },
    });
    hls.loadSource(url);
    hls.attachMedia(video);
    return () => hls.destroy();
  }
  if (file.format === 'flv' || file.format === 'ts') {
    await loadScript(FLV_SCRIPT);
    const mpegts = window.mpegts;
    if (mpegts === undefined || signal.aborted) return () => {};
    mpegts.LoggingControl.enableAll = false;
    const player = mpegts.createPlayer({ type: file.format === 'flv' ? 'flv' : 'mpegts', isLive: false, url }, { enableWorker: false, headers: authorization() });
    player.attachMediaElement(video);
    player.load();
    return () => player.destroy();
  }
  if (key.value === '') {
    video.src = path;
    return () => { video.removeAttribute('src'); video.load(); };
  }
  const held = await objectUrl(path, signal);
  video.src = held;
  return () => { video.removeAttribute('src'); video.load(); URL.revokeObjectURL(held); };
}
