// A stream as a card.

import { bitrate } from '../../../shared/format';
import { Sparkline } from '../../components/sparkline';
import { State } from '../../components/state';
import { Preview } from '../../components/preview';
import { t } from '../../i18n';
import { bitrates } from '../../model/history';
import { hashOf } from '../../router';
import { Outputs, placeOf, RowMenu, sinceOf, titleOf, Viewers, type RowProps } from './facts';

export function StreamCard(props: RowProps) {
  const { row } = props;
  const { name, state, summary } = row;
  const live = state === 'live';
  const codecs = summary?.tracks.map(({ codec }) => codec).join(' + ') ?? '';
  return (
    <article class="stream-card" data-stream={name} data-row-state={state}>
      <div class="stream-picture">
        <Preview name={name} live={live} href={hashOf('channel', name)} />
        <State name={state} />
        <Viewers row={row} />
      </div>
      <div class="stream-facts">
        <div class="stream-name">
          <h2><a href={hashOf('channel', name)} translate={false}>{titleOf(row)}</a></h2>
          <RowMenu {...props} />
        </div>
        <p class="dim ellipsis" translate={false}>{[placeOf(row), codecs].filter((part) => part !== '').join(' · ') || '\u00a0'}</p>
        <div class="stream-figures">
          {summary === undefined ? <span class="dim">{t(state === 'forbidden' ? 'live.forbidden' : 'live.waits')}</span> : (
            <>
              <span class="bitrate" translate={false}>{bitrate(live ? summary.bitrate_bps : undefined, t.tag)}</span>
              <Sparkline samples={bitrates.last(name, 60)} tone={live ? 'accent' : 'warn'} />
            </>
          )}
        </div>
        <div class="stream-foot">
          <span class="dim" translate={false}>{sinceOf(row)}</span>
          <Outputs row={row} />
        </div>
      </div>
    </article>
  );
}
