// What is recorded of this stream, and the button that records.

import { useSignal } from '@preact/signals';
import { post } from '../../api/client';
import { useData } from '../../api/data';
import type { RecordedFile, RecordingTask } from '../../api/types';
import { Icon } from '../../components/icon';
import { Checks, Empty, Shown } from '../../components/parts';
import { doing } from '../../components/toast';
import { t } from '../../i18n';
import { all } from '../../model/actions';
import type { Known } from '../channel';
import { FileList } from '../recordings/files';
import { TaskList } from '../recordings/tasks';

export const FORMATS = ['mp4', 'hls', 'flv', 'ts', 'aac'] as const;

export function RecordingsTab({ known: { name, source, detail, reload } }: { known: Known }) {
  const formats = useSignal<readonly string[]>(['mp4']);
  const files = useData((signal) => all<RecordedFile>(`/v1/files?stream=${encodeURIComponent(name)}`, signal, 100), [name], { on: ['recording.'] });
  const tasks = useData(async (signal) => {
    if (source === undefined) return [];
    const found = await all<RecordingTask>(`/v1/recordings?room=${encodeURIComponent(source.room_id)}&user=${encodeURIComponent(source.user_id)}`, signal, 100);
    return found.filter((task) => task.stream_id === source.stream_id && task.ended_at === null);
  }, [source?.room_id, source?.user_id], { on: ['recording.'] });
  const again = () => { files.reload(); tasks.reload(); reload(); };
  const record = async () => {
    if (source === undefined) return;
    const body = { user_id: source.user_id, source: source.source, formats: formats.value };
    if (await doing(() => post(`/v1/rooms/${encodeURIComponent(source.room_id)}/recordings`, body), t('record.started'))) again();
  };
  return (
    <div class="stack">
      {source !== undefined && detail !== undefined && (
        <div class="inline-form">
          <Checks name={t('record.formats')} words={FORMATS} chosen={formats.value} onChange={(chosen) => { formats.value = chosen; }} show={(format) => format.toUpperCase()} />
          <button type="button" class="button record" disabled={formats.value.length === 0} onClick={() => void record()}><Icon name="recordings" />{t('record.start')}</button>
        </div>
      )}
      <Shown of={tasks}>{(list) => (list.length > 0 && <TaskList tasks={list} running={detail?.recordings ?? []} onChange={again} />)}</Shown>
      <Shown of={files}>{(list) => {
        const there = list.filter(({ deleted_at }) => deleted_at === null);
        return there.length === 0 ? <Empty icon="recordings" text={t('recordings.none-here')} /> : <FileList files={there} onChange={again} />;
      }}</Shown>
    </div>
  );
}
