// What happened to this stream's channel, newest first.

import { get } from '../../api/client';
import { useData } from '../../api/data';
import type { Event, Page } from '../../api/types';
import { Empty, Shown } from '../../components/parts';
import { t } from '../../i18n';
import { fullMoment, moment } from '../../model/time';
import type { Known } from '../channel';

export function EventsTab({ known: { channel, source } }: { known: Known }) {
  const room = source?.room_id;
  const events = useData(async (signal) => {
    if (room === undefined) return [];
    // The log is read forward; of a room's events those of this source are shown.
    const found: Event[] = [];
    let after = '0';
    for (let pages = 0; pages < 20; pages += 1) {
      const page: Page<Event> = await get(`/v1/events?room=${encodeURIComponent(room)}&after=${after}&limit=1000`, signal);
      found.push(...page.items.filter((event) => event.stream_id === source?.stream_id || event.channel_id === channel?.channel_id));
      if (page.next_cursor === null) break;
      after = page.next_cursor;
    }
    return found.slice(-200).reverse();
  }, [room, channel?.channel_id], { on: ['channel.', 'ingest.', 'recording.', 'target.'] });
  return (
    <Shown of={events}>{(list) => (list.length === 0 ? <Empty icon="callbacks" text={t('events.none')} /> : (
      <ol class="events">
        {list.map((event) => (
          <li key={event.id}>
            <details>
              <summary><time dateTime={event.timestamp} title={fullMoment(event.timestamp, t.tag)} translate={false}>{moment(event.timestamp, t.tag)}</time> <span class="mono" translate={false}>{event.type}</span></summary>
              <pre translate={false} tabIndex={0}>{JSON.stringify(event.data, null, 2)}</pre>
            </details>
          </li>
        ))}
      </ol>
    ))}</Shown>
  );
}
