// Recordings that run.

import { bytes } from '../../../shared/format';
import { post } from '../../api/client';
import type { HubRecording, RecordingTask } from '../../api/types';
import { Icon } from '../../components/icon';
import { State } from '../../components/state';
import { doing } from '../../components/toast';
import { t, word } from '../../i18n';
import { moment } from '../../model/time';

export function TaskList({ tasks, running, onChange }: { tasks: readonly RecordingTask[]; running: readonly HubRecording[]; onChange: () => void }) {
  const order = (task: RecordingTask, verb: 'stop' | 'pause' | 'resume') => doing(() => post(`/v1/recordings/${task.recording_id}:${verb}`), t(`record.${verb}.done`)).then(onChange);
  return (
    <ul class="list">
      {tasks.map((task) => {
        const now = running.find(({ id }) => id === task.recording_id);
        return (
          <li key={task.recording_id} class="list-row" data-recording={task.recording_id}>
            <div class="list-main">
              <p><span class="strong" translate={false}>{task.file_name ?? task.stream_id}</span> <span class="formats" translate={false}>{task.formats.map((format) => format.toUpperCase()).join(' + ')}</span></p>
              <p class="dim small">
                {word('origin', task.origin)}{' · '}<span translate={false}>{task.room_id} / {task.user_id}</span>{' · '}
                {task.start_at !== null && task.started_at === null ? t('record.scheduled', { time: moment(task.start_at, t.tag) }) : <span translate={false}>{moment(task.started_at ?? task.created_at, t.tag)}</span>}
                {now?.bytes !== undefined && <span translate={false}> · {bytes(now.bytes, t.tag)}</span>}
              </p>
              {(now?.reason ?? task.cause?.text) != null && <p class="small tone-warn" translate={false}>{now?.reason ?? task.cause?.text}</p>}
            </div>
            <State name={now?.state ?? task.state} />
            {task.state === 'paused'
              ? <button type="button" class="icon-button" title={t('record.resume')} aria-label={t('record.resume')} onClick={() => void order(task, 'resume')}><Icon name="play" /></button>
              : <button type="button" class="icon-button" title={t('record.pause')} aria-label={t('record.pause')} onClick={() => void order(task, 'pause')}><Icon name="pause" /></button>}
            <button type="button" class="icon-button" data-action="stop-recording" title={t('record.stop')} aria-label={t('record.stop')} onClick={() => void order(task, 'stop')}><Icon name="stop" /></button>
          </li>
        );
      })}
    </ul>
  );
}
