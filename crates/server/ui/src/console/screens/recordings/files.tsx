// Recorded files: what they hold and lack, to be played, downloaded, checked, deleted.

import { useSignal } from '@preact/signals';
import { CopyField } from '../../../shared/copy-field';
import { bytes } from '../../../shared/format';
import { ask } from '../../api/client';
import type { RecordedFile } from '../../api/types';
import { confirmed, Dialog } from '../../components/dialog';
import { Icon } from '../../components/icon';
import { Menu } from '../../components/menu';
import { Figure } from '../../components/parts';
import { doing } from '../../components/toast';
import { t } from '../../i18n';
import { download } from '../../model/download';
import { clock, fullMoment, moment } from '../../model/time';
import { FilePlayer } from './file-player';

export function FileList({ files, onChange }: { files: readonly RecordedFile[]; onChange: () => void }) {
  const opened = useSignal<RecordedFile | undefined>(undefined);
  const remove = async (file: RecordedFile) => {
    if (!await confirmed(t('file.delete.title'), t('file.delete.text', { name: file.name }), t('file.delete'))) return;
    if (await doing(() => ask('DELETE', `/v1/files/${file.file_id}`), t('file.deleted'))) onChange();
  };
  return (
    <>
      <ul class="list">
        {files.map((file) => (
          <li key={file.file_id} class="list-row" data-file={file.file_id}>
            <button type="button" class="play-button" aria-label={t('file.play', { name: file.name })} onClick={() => { opened.value = file; }}><Icon name="play" /></button>
            <div class="list-main">
              <p><span class="strong wrap" translate={false}>{file.name}</span> <span class="formats" translate={false}>{file.format.toUpperCase()}</span></p>
              <p class="dim small" translate={false}>
                <time dateTime={file.start_time} title={fullMoment(file.start_time, t.tag)}>{moment(file.start_time, t.tag)}</time>
                {` · ${clock(file.duration_ms / 1000)} · ${bytes(file.size, t.tag)} · ${file.room_id} / ${file.user_id}`}
              </p>
              <GapBar file={file} />
            </div>
            {file.format !== 'hls' && file.format !== 'hls-ts' && (
              <button type="button" class="icon-button" data-action="download" title={t('file.download')} aria-label={t('file.download.label', { name: file.name })} onClick={() => void doing(() => download(contentPath(file), nameOf(file)))}><Icon name="download" /></button>
            )}
            <Menu
              label={t('live.actions', { stream: file.name })}
              actions={[
                { name: t('file.details'), icon: 'figures', run: () => { opened.value = file; } },
                { name: t('file.delete'), icon: 'trash', danger: true, run: () => void remove(file) },
              ]}
            />
          </li>
        ))}
      </ul>
      {opened.value !== undefined && <FileDialog file={opened.value} onClose={() => { opened.value = undefined; }} />}
    </>
  );
}

export function contentPath(file: RecordedFile): string {
  return `/v1/files/${file.file_id}/content`;
}

/** A file's own name, below the folders. */
function nameOf(file: RecordedFile): string {
  return file.name.slice(file.name.lastIndexOf('/') + 1);
}

/** The length of a recording, with what it lacks marked. */
function GapBar({ file }: { file: RecordedFile }) {
  if (file.gaps.length === 0) return null;
  const missing = file.gaps.reduce((sum, gap) => sum + gap.missing_ms, 0);
  const whole = Math.max(1, file.duration_ms);
  const label = t('file.gaps', { count: file.gaps.length, seconds: (missing / 1000).toFixed(1) });
  return (
    <p class="gap-bar small tone-warn">
      <svg viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true">
        <rect class="bar" width="1000" height="8" rx="4" />
        {file.gaps.map((gap) => <rect key={gap.at_ms} class="gap" x={(gap.at_ms / whole) * 1000} width={Math.max(6, (gap.missing_ms / whole) * 1000)} height="8" />)}
      </svg>
      {label}
    </p>
  );
}

function FileDialog({ file, onClose }: { file: RecordedFile; onClose: () => void }) {
  return (
    <Dialog title={nameOf(file)} onClose={onClose} wide>
      <FilePlayer file={file} />
      <dl class="figure-grid">
        <Figure name={t('file.start')}>{fullMoment(file.start_time, t.tag)}</Figure>
        <Figure name={t('file.duration')}>{clock(file.duration_ms / 1000)}</Figure>
        <Figure name={t('file.size')}>{bytes(file.size, t.tag)}</Figure>
        <Figure name={t('file.codecs')}>{file.codecs.join(', ') || '–'}{file.width === null ? '' : ` ${file.width}×${file.height ?? 0}`}</Figure>
      </dl>
      {file.recovered && <p class="note"><Icon name="warn" /><span>{t('file.recovered')}</span></p>}
      {file.gaps.length > 0 && (
        <table>
          <thead><tr><th scope="col">{t('file.gap.at')}</th><th scope="col">{t('file.gap.missing')}</th><th scope="col">{t('file.gap.cause')}</th></tr></thead>
          <tbody translate={false}>{file.gaps.map((gap) => <tr key={gap.at_ms}><td>{clock(gap.at_ms / 1000)}</td><td>{(gap.missing_ms / 1000).toFixed(1)} s</td><td>{gap.cause}</td></tr>)}</tbody>
        </table>
      )}
      <CopyField label="SHA-256" value={file.sha256} t={t} />
    </Dialog>
  );
}
