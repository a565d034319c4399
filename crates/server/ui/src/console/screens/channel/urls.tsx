// Where the stream plays.

import { CopyField } from '../../../shared/copy-field';
import { Qr } from '../../components/qr';
import { Empty } from '../../components/parts';
import { t } from '../../i18n';
import type { Known } from '../channel';

export function UrlsTab({ known: { detail, channel } }: { known: Known }) {
  const urls: [string, string][] = detail !== undefined
    ? ([['watch', detail.urls.watch], ['HLS', detail.urls.hls], ['HLS (MPEG-TS)', detail.urls.hls_ts], ['HTTP-FLV', detail.urls.flv], ['HTTP-TS', detail.urls.ts], ['RTMP', detail.urls.rtmp ?? '']] as [string, string][])
      .filter(([, url]) => url !== '')
    : (channel?.urls ?? []).map(({ protocol, url }) => [protocol.toUpperCase(), url]);
  const watch = detail?.urls.watch;
  if (urls.length === 0) return <Empty icon="live" text={t('urls.none')} />;
  return (
    <div class="urls">
      {urls.map(([name, url]) => <CopyField key={name} label={name === 'watch' ? t('urls.watch') : name} value={url} t={t} />)}
      {watch !== undefined && <Qr text={watch} label={t('urls.qr')} />}
      {channel?.has_password === true && <p class="dim">{t('urls.password')}</p>}
    </div>
  );
}
