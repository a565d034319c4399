// A stream's last key frame as the server has it (`…/poster.mp4`: nothing is decoded there). Asked for every ten seconds,
// by cards on screen only, at most a dozen of them.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { access, authorization } from '../api/client';
import { Icon } from './icon';

const REFRESH_MS = 10_000;
/** After an answer that there is none. */
const ABSENT_MS = 60_000;
const MOST = 12;

const showing = new Set<string>();

export function Still({ name, live }: { name: string; live: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const url = useSignal('');
  useEffect(() => {
    const element = box.current;
    if (element === null || !live) return undefined;
    let timer: number | undefined;
    let etag = '';
    const end = new AbortController();
    const load = async () => {
      let pause = REFRESH_MS;
      try {
        if (!document.hidden && access.peek() === 'granted') {
          const path = `/v1/streams/${name.split('/').map(encodeURIComponent).join('/')}/poster.mp4`;
          const response = await fetch(path, { cache: 'no-store', signal: end.signal, headers: { ...authorization(), ...(etag === '' ? {} : { 'If-None-Match': etag }) } });
          if (response.ok) {
            etag = response.headers.get('etag') ?? '';
            const blob = await response.blob();
            if (end.signal.aborted) return;
            if (url.value !== '') URL.revokeObjectURL(url.value);
            url.value = URL.createObjectURL(blob);
          } else if (response.status === 404) {
            pause = ABSENT_MS;
          }
        }
      } catch {
        // Asked again in time.
      }
      if (!end.signal.aborted) timer = window.setTimeout(() => void load(), pause);
    };
    const observer = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting === true) {
        if (showing.size >= MOST || showing.has(name)) return;
        showing.add(name);
        void load();
      } else if (showing.delete(name)) {
        window.clearTimeout(timer);
      }
    });
    observer.observe(element);
    return () => {
      end.abort();
      observer.disconnect();
      window.clearTimeout(timer);
      showing.delete(name);
      if (url.value !== '') URL.revokeObjectURL(url.value);
      url.value = '';
    };
  }, [name, live]);
  return (
    <div ref={box} class="still on-dark">
      {url.value === '' ? <Icon name={live ? 'live' : 'waiting'} /> : <video src={url.value} muted playsInline preload="auto" aria-hidden="true" tabIndex={-1} />}
    </div>
  );
}
