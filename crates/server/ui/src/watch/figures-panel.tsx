// The figures of what plays. Always in the document, so that tests can read them; hidden while closed.

import type { Signal } from '@preact/signals';
import type { Key, Translator } from '../shared/i18n';
import { bitrate, count, frameRate, resolution, seconds, UNKNOWN } from '../shared/format';
import { codecNames } from './codecs';
import { PROTOCOL_NAME } from './protocol';
import type { Figures } from './session';

/** Names of the fields, stable for tests (`data-field`). */
export const FIELDS = ['codec', 'resolution', 'fps', 'bitrate', 'latency', 'buffer', 'dropped', 'protocol'] as const;

type Field = (typeof FIELDS)[number];

export function FiguresPanel({ figures, open, t }: { figures: Signal<Figures>; open: boolean; t: Translator }) {
  const values = fieldTexts(figures.value, t);
  return (
    <section class="card figures" hidden={!open} aria-label={t('panel.title')}>
      <dl>
        {FIELDS.map((field) => (
          <div key={field} class={`figure figure-${field}`}>
            <dt>{t(`panel.${field}` as Key)}</dt>
            <dd data-field={field}>{values[field]}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** The panel's texts. */
export function fieldTexts(figures: Figures, t: Translator): Record<Field, string> {
  const playing = figures.protocol !== undefined;
  return {
    codec: codecNames(figures.codecs) || UNKNOWN,
    resolution: playing && figures.width === 0 && figures.total === 0 && (figures.buffer ?? 0) > 0
      ? t('panel.audio-only') : resolution(figures.width, figures.height),
    fps: frameRate(figures.frameRate, t.tag),
    bitrate: bitrate(figures.bitrate, t.tag),
    latency: seconds(figures.latency, t.tag),
    buffer: seconds(figures.buffer, t.tag),
    dropped: figures.dropped === undefined ? UNKNOWN
      : t('panel.dropped.of', { dropped: count(figures.dropped, t.tag), total: count(figures.total, t.tag) }),
    protocol: figures.protocol === undefined ? UNKNOWN : PROTOCOL_NAME[figures.protocol],
  };
}
