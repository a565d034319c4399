// Where to publish: server and stream key apart, as encoders want them, and the ffmpeg line.

import { CopyField } from '../../shared/copy-field';
import { ffmpegLine } from '../../watch/address';
import { t } from '../i18n';

export function PublishHelp({ server, streamKey }: { server: string; streamKey: string }) {
  return (
    <div class="publish-help">
      <div class="pair">
        <CopyField label={t('waiting.server')} value={server} t={t} />
        <CopyField label={t('waiting.key')} value={streamKey} t={t} />
      </div>
      <CopyField label={t('waiting.ffmpeg')} value={ffmpegLine({ server, key: streamKey })} t={t} />
    </div>
  );
}
