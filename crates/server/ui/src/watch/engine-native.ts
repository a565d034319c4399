// HLS by the browser itself, where there are no Media Source Extensions (older iPhones).

import { bufferedEnd, type Engine, type EngineOptions, type Readings } from './engine';

export function startNative(options: EngineOptions, facts: { frameRate: number | undefined; bitrate: number | undefined }): Engine {
  const { video, url, protocol, declared, emit } = options;
  const onError = () => {
    const error = video.error;
    if (error === null) return;
    if (error.code === MediaError.MEDIA_ERR_NETWORK) emit({ type: 'lost', detail: error.message || 'network' });
    else if (error.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED) emit({ type: 'failed', kind: 'codec', detail: declared.join(',') });
    else emit({ type: 'failed', kind: 'media', detail: error.message || 'decode' });
  };
  video.addEventListener('error', onError);
  video.src = url;
  return {
    protocol,
    readings(): Readings {
      const end = bufferedEnd(video);
      return {
        codecs: declared, frameRate: facts.frameRate, bitrate: facts.bitrate,
        latency: end === undefined ? undefined : end - video.currentTime,
      };
    },
    liveEdge() {
      const { seekable } = video;
      return seekable.length > 0 ? seekable.end(seekable.length - 1) : undefined;
    },
    stop() {
      video.removeEventListener('error', onError);
      video.removeAttribute('src');
      video.load();
    },
  };
}
