// All streams as a table, for many of them.

import { bitrate } from '../../../shared/format';
import { Sparkline } from '../../components/sparkline';
import { State } from '../../components/state';
import { t } from '../../i18n';
import { bitrates } from '../../model/history';
import type { Row } from '../../model/rows';
import { hashOf } from '../../router';
import { Outputs, placeOf, RowMenu, sinceOf, titleOf, Viewers, type RowProps } from './facts';

export function StreamTable({ rows, ...rest }: { rows: readonly Row[] } & Omit<RowProps, 'row'>) {
  return (
    <div class="table-box">
      <table class="as-cards">
        <thead>
          <tr>
            <th scope="col">{t('table.stream')}</th><th scope="col">{t('table.state')}</th><th scope="col">{t('table.up')}</th>
            <th scope="col">{t('table.bitrate')}</th><th scope="col" class="number">{t('live.viewers')}</th><th scope="col">{t('table.outputs')}</th>
            <th><span class="visually-hidden">{t('table.actions')}</span></th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name} data-stream={row.name} data-row-state={row.state}>
              <td data-name={t('table.stream')}>
                <a href={hashOf('channel', row.name)} class="strong" translate={false}>{titleOf(row)}</a>
                <div class="dim small" translate={false}>{placeOf(row)}</div>
              </td>
              <td data-name={t('table.state')}><State name={row.state} quiet /></td>
              <td data-name={t('table.up')} translate={false} class="tabular">{sinceOf(row)}</td>
              <td data-name={t('table.bitrate')}>
                {row.summary !== undefined && (
                  <span class="with-line"><span translate={false} class="tabular">{bitrate(row.state === 'live' ? row.summary.bitrate_bps : undefined, t.tag)}</span><Sparkline samples={bitrates.last(row.name, 60)} /></span>
                )}
              </td>
              <td data-name={t('live.viewers')} class="number"><Viewers row={row} /></td>
              <td data-name={t('table.outputs')}><span class="chips"><Outputs row={row} /></span></td>
              <td class="actions"><RowMenu row={row} {...rest} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
