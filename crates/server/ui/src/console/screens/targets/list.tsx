// Push targets with their state, why, and when they are tried next.

import { bytes } from '../../../shared/format';
import { Icon } from '../../components/icon';
import { State } from '../../components/state';
import { confirmed } from '../../components/dialog';
import { t } from '../../i18n';
import type { TargetRow } from '../../model/targets';
import { hashOf } from '../../router';
import { removeTarget } from '../channel/targets';

export function TargetList({ rows, onChange, showStream = true }: { rows: readonly TargetRow[]; onChange: () => void; showStream?: boolean }) {
  const remove = async (row: TargetRow) => {
    if (row.channelId === undefined || !await confirmed(t('targets.remove.title'), t('targets.remove.text', { url: row.url }), t('targets.remove'))) return;
    if (await removeTarget(row.channelId, row.id)) onChange();
  };
  return (
    <ul class="list">
      {rows.map((row) => (
        <li key={row.id} class="list-row" data-target={row.id}>
          <div class="list-main">
            <p class="strong ellipsis" translate={false}>{row.name || row.url}</p>
            <p class="dim small ellipsis" translate={false}>
              {showStream && <><a href={hashOf('channel', row.stream, { tab: 'targets' })}>{row.stream}</a> · </>}{row.name === '' ? '' : `${row.url} · `}{bytes(row.bytes, t.tag)}
            </p>
            {row.reason !== undefined && <p class="small tone-warn" translate={false}>{row.reason}</p>}
            {row.retryIn !== undefined && <p class="small dim">{t('targets.retry', { seconds: Math.ceil(row.retryIn), tries: row.attempts })}</p>}
          </div>
          <State name={row.state} />
          {row.channelId === undefined
            ? <span class="small dim">{t('targets.configured')}</span>
            : <button type="button" class="icon-button" aria-label={t('targets.remove.label', { url: row.name || row.url })} onClick={() => void remove(row)}><Icon name="trash" /></button>}
        </li>
      ))}
    </ul>
  );
}
