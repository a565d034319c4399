// What a card and a table's row have in common.

import { count } from '../../../shared/format';
import { Icon } from '../../components/icon';
import { Menu, type Action } from '../../components/menu';
import { t } from '../../i18n';
import { dropPublisher, resume, stopChannel } from '../../model/actions';
import type { Row } from '../../model/rows';
import { clock, moment } from '../../model/time';
import { go, hashOf } from '../../router';

export interface RowProps {
  row: Row;
  onForbid: (name: string) => void;
  /** Something was done: load again. */
  onChange: () => void;
}

/** The channel's own name where it has one. */
export function titleOf({ channel, name }: Row): string {
  return channel !== undefined && channel.name !== '' ? channel.name : name;
}

/** Room and user; the stream's name where the title is another one. */
export function placeOf(row: Row): string {
  const { channel, name } = row;
  if (channel === undefined) return '';
  const where = `${channel.room_id} / ${channel.user_id}`;
  return titleOf(row) !== name ? `${where} · ${name}` : where;
}

/** How long it is on air, or until when it is forbidden. */
export function sinceOf({ state, summary, channel, forbiddenUntil }: Row): string {
  if (state === 'forbidden' && forbiddenUntil !== undefined) return t('live.until', { time: moment(forbiddenUntil, t.tag) });
  if (summary !== undefined) return clock(summary.uptime_s);
  return channel === undefined ? '' : moment(channel.created_at, t.tag);
}

export function RowMenu({ row, onForbid, onChange }: RowProps) {
  const { name, state, channel, summary } = row;
  const actions: Action[] = [{ name: t('action.open'), icon: 'open', run: () => go(hashOf('channel', name)) }];
  if (state === 'forbidden') actions.push({ name: t('action.resume'), icon: 'check', run: () => void resume(name).then(onChange) });
  if (summary?.publisher != null) actions.push({ name: t('action.drop'), icon: 'drop', danger: true, run: () => void dropPublisher(name).then(onChange) });
  if (channel !== undefined && state !== 'forbidden') actions.push({ name: t('action.stop'), icon: 'stop', danger: true, run: () => void stopChannel(channel.channel_id, name).then(onChange) });
  if (state !== 'forbidden') actions.push({ name: t('action.forbid'), icon: 'ban', danger: true, run: () => onForbid(name) });
  return <Menu label={t('live.actions', { stream: name })} actions={actions} />;
}

/** Recording dot and push targets, where there are any. */
export function Outputs({ row: { summary } }: { row: Row }) {
  const { recordings = 0, targets = 0, targets_live = 0 } = summary ?? {};
  return (
    <>
      {recordings > 0 && <span class="chip tone-live"><Icon name="recordings" />{t('live.recording')}</span>}
      {targets > 0 && (
        <span class={`chip ${targets_live < targets ? 'tone-warn' : 'tone-ok'}`}>
          <Icon name="targets" />{t('live.targets', { live: targets_live, all: targets })}
        </span>
      )}
    </>
  );
}

export function Viewers({ row: { summary } }: { row: Row }) {
  if (summary === undefined) return null;
  return (
    <span class="viewers">
      <Icon name="viewers" /><span class="visually-hidden">{t('live.viewers')}</span> <span translate={false}>{count(summary.viewers, t.tag)}</span>
    </span>
  );
}
