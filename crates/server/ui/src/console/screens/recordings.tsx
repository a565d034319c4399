// Recordings that run, and recorded files.

import { useSignal } from '@preact/signals';
import { useData } from '../api/data';
import { get } from '../api/client';
import type { Page, RecordedFile, RecordingTask } from '../api/types';
import { Icon } from '../components/icon';
import { Empty, Heading, Shown } from '../components/parts';
import { t } from '../i18n';
import { place, setQuery } from '../router';
import { FileList } from './recordings/files';
import { TaskList } from './recordings/tasks';

const PAGE = 50;
const RUNNING = ['pending', 'recording', 'paused', 'finalizing'] as const;

export function Recordings() {
  const { q = '', room = '' } = place.value.query;
  const pages = useSignal(1);
  const tasks = useData(async (signal) => {
    const lists = await Promise.all(RUNNING.map((state) => get<Page<RecordingTask>>(`/v1/recordings?state=${state}&limit=200`, signal)));
    return lists.flatMap(({ items }) => items);
  }, [], { on: ['recording.'] });
  const files = useData(async (signal) => {
    const items: RecordedFile[] = [];
    const filter = new URLSearchParams({ limit: String(PAGE) });
    if (q !== '') filter.set('name_prefix', q);
    if (room !== '') filter.set('room', room);
    let more: string | null = null;
    for (let page = 0; page < pages.value; page += 1) {
      const found: Page<RecordedFile> = await get(`/v1/files?${filter}`, signal);
      items.push(...found.items.filter(({ deleted_at }) => deleted_at === null));
      more = found.next_cursor;
      if (more === null) break;
      filter.set('cursor', more);
    }
    return { items, more: more !== null };
  }, [q, room, pages.value], { on: ['recording.'] });
  const again = () => { tasks.reload(); files.reload(); };
  return (
    <>
      <Heading title={t('nav.recordings')}>
        <label class="search">
          <Icon name="search" />
          <span class="visually-hidden">{t('recordings.search')}</span>
          <input type="search" placeholder={t('recordings.search')} value={q} onChange={(event) => setQuery({ q: event.currentTarget.value })} />
        </label>
      </Heading>
      <Shown of={tasks}>{(list) => list.length > 0 && (
        <section class="stack" aria-labelledby="running"><h2 id="running">{t('recordings.running')}</h2><TaskList tasks={list} running={[]} onChange={again} /></section>
      )}</Shown>
      <Shown of={files}>{({ items, more }) => (items.length === 0
        ? (tasks.value.value?.length === 0 || q !== '' ? <Empty icon="recordings" text={q === '' ? t('recordings.empty') : t('live.none-found')} /> : null)
        : (
          <section class="stack" aria-labelledby="files">
            <h2 id="files">{t('recordings.files')}</h2>
            <FileList files={items} onChange={again} />
            {more && <button type="button" class="button more" onClick={() => { pages.value += 1; }}>{t('list.more')}</button>}
          </section>
        ))}</Shown>
    </>
  );
}
