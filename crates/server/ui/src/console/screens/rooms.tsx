// Rooms with their members and sources, and the dialog that starts a channel.

import { useSignal } from '@preact/signals';
import { ask, get } from '../api/client';
import { useData } from '../api/data';
import type { Channel, Member, Page, Room, Source } from '../api/types';
import { confirmed } from '../components/dialog';
import { Icon } from '../components/icon';
import { Menu } from '../components/menu';
import { Empty, Heading, Shown } from '../components/parts';
import { State } from '../components/state';
import { doing } from '../components/toast';
import { t, word } from '../i18n';
import { all } from '../model/actions';
import { moment } from '../model/time';
import { hashOf } from '../router';
import { StartDialog } from './rooms/start-dialog';

export function Rooms() {
  const rooms = useData((signal) => all<Room>('/v1/rooms', signal), [], { on: ['channel.', 'ingest.'] });
  const starting = useSignal<string | undefined>(undefined);
  return (
    <>
      <Heading title={t('nav.rooms')}>
        <button type="button" class="button primary" data-action="start-channel" onClick={() => { starting.value = ''; }}><Icon name="plus" />{t('start.open')}</button>
      </Heading>
      <Shown of={rooms}>{(list) => {
        const open = list.filter(({ closed_at }) => closed_at === null);
        return open.length === 0 ? <Empty icon="rooms" text={t('rooms.empty')} />
          : <ul class="list rooms">{open.map((room) => <li key={room.room_id}><RoomRow room={room} onStart={() => { starting.value = room.room_id; }} onChange={rooms.reload} /></li>)}</ul>;
      }}</Shown>
      {starting.value !== undefined && <StartDialog room={starting.value} onClose={() => { starting.value = undefined; rooms.reload(); }} />}
    </>
  );
}

function RoomRow({ room, onStart, onChange }: { room: Room; onStart: () => void; onChange: () => void }) {
  const open = useSignal(false);
  const path = `/v1/rooms/${encodeURIComponent(room.room_id)}`;
  const close = async () => {
    if (!await confirmed(t('rooms.close.title', { room: room.room_id }), t('rooms.close.text'), t('rooms.close'))) return;
    if (await doing(() => ask('DELETE', path), t('rooms.closed'))) onChange();
  };
  return (
    <details class="room" data-room={room.room_id} onToggle={(event) => { open.value = event.currentTarget.open; }}>
      <summary class="list-row">
        <Icon name="chevron" />
        <span class="list-main">
          <span class="strong" translate={false}>{room.room_id}</span>{' '}
          <span class="dim small">
            {word('room', room.type)}{room.implicit && <> · {t('rooms.implicit')}</>}{room.relation_id !== null && <> · {t('rooms.relation')} <span translate={false}>{room.relation_id}</span></>}
            {' · '}<span translate={false}>{moment(room.created_at, t.tag)}</span>
          </span>
        </span>
      </summary>
      {open.value && (
        <div class="room-body stack">
          <RoomDetail path={path} id={room.room_id} />
          <div class="inline-form">
            <button type="button" class="button" onClick={onStart}><Icon name="plus" />{t('start.open')}</button>
            <Menu label={t('live.actions', { stream: room.room_id })} text={t('table.actions')} actions={[{ name: t('rooms.close'), icon: 'close', danger: true, run: () => void close() }]} />
          </div>
        </div>
      )}
    </details>
  );
}

function RoomDetail({ path, id }: { path: string; id: string }) {
  const detail = useData(async (signal) => {
    const [members, sources, channels] = await Promise.all([
      get<Page<Member>>(`${path}/members`, signal),
      all<Source>(`/v1/sources?room=${encodeURIComponent(id)}`, signal, 200),
      all<Channel>(`/v1/channels?room=${encodeURIComponent(id)}`, signal, 200),
    ]);
    return { members: members.items, sources, channels: channels.filter(({ state }) => state !== 'ended') };
  }, [path], { on: ['channel.', 'ingest.'] });
  return (
    <Shown of={detail}>{({ members, sources, channels }) => (
      <>
        <section>
          <h3>{t('rooms.members')}</h3>
          {members.length === 0 ? <p class="dim">{t('rooms.members.none')}</p>
            : <p class="chips" translate={false}>{members.map(({ user_id, left_at }) => <span key={user_id} class={`user-chip${left_at === null ? '' : ' dim'}`}>{user_id}</span>)}</p>}
        </section>
        <section>
          <h3>{t('rooms.sources')}</h3>
          {sources.length === 0 && channels.length === 0 ? <p class="dim">{t('rooms.sources.none')}</p> : (
            <ul class="plain-list">
              {sources.map((source) => (
                <li key={source.stream}><a href={hashOf('channel', source.stream)} translate={false}>{source.stream}</a> <span class="dim small" translate={false}>{source.user_id} · {source.source}</span> <State name={source.state} quiet /></li>
              ))}
              {channels.filter(({ stream }) => !sources.some((source) => source.stream === stream)).map((channel) => (
                <li key={channel.channel_id}><a href={hashOf('channel', channel.stream)} translate={false}>{channel.name || channel.stream}</a> <span class="dim small" translate={false}>{channel.user_id}</span> <State name={channel.state} quiet /></li>
              ))}
            </ul>
          )}
        </section>
      </>
    )}</Shown>
  );
}
