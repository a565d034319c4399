// The bar under the picture.

import type { Signal } from '@preact/signals';
import type { Translator } from '../shared/i18n';
import { Icon, type IconName } from '../shared/icons';
import type { Session } from './session';

interface ControlsProps {
  session: Session;
  t: Translator;
  panelOpen: Signal<boolean>;
  fullscreen: Signal<boolean>;
  onFullscreen: () => void;
  onPanel: () => void;
}

/** Further behind the live edge than this, a way back to it is offered. */
const BEHIND_SECONDS = 15;

export function Controls({ session, t, panelOpen, fullscreen, onFullscreen, onPanel }: ControlsProps) {
  const stopped = session.paused.value || session.blocked.value;
  const muted = session.muted.value;
  const { order, phase } = session.model.value;
  const figures = session.figures.value;
  const behind = phase === 'playing' && figures.protocol !== 'flv' && (figures.buffer ?? 0) > BEHIND_SECONDS;
  return (
    <div class="controls" role="group" aria-label={t('control.group')}>
      <IconButton icon={stopped ? 'play' : 'pause'} label={stopped ? t('control.play') : t('control.pause')} hint="k" onClick={() => session.togglePlay()} />
      <IconButton icon={muted ? 'muted' : 'volume'} label={muted ? t('control.unmute') : t('control.mute')} hint="m" onClick={() => session.toggleMute()} />
      <input
        class="volume" type="range" min="0" max="1" step="0.05" aria-label={t('control.volume')}
        value={muted ? 0 : session.volume.value}
        onInput={(event) => session.setVolume(event.currentTarget.valueAsNumber)}
      />
      {behind && <button type="button" class="button" onClick={() => session.goLive()}>{t('control.live')}</button>}
      <span class="spacer" />
      <SoundChoice session={session} t={t} />
      {order.length > 1 && (
        <label class="switch" title={t('control.lower-delay.hint')}>
          <input
            type="checkbox" role="switch" checked={order[0] === 'flv'}
            onChange={(event) => session.prefer(event.currentTarget.checked ? 'flv' : 'hls')}
          />
          <span>{t('control.lower-delay')}</span>
        </label>
      )}
      <IconButton icon="figures" label={t('control.panel')} hint="i" pressed={panelOpen.value} onClick={onPanel} />
      <IconButton
        icon={fullscreen.value ? 'shrink' : 'expand'} hint="f" onClick={onFullscreen}
        label={fullscreen.value ? t('control.fullscreen.leave') : t('control.fullscreen')}
      />
    </div>
  );
}

/** Which sound is heard, where there are several. */
function SoundChoice({ session, t }: { session: Session; t: Translator }) {
  const { names, chosen } = session.sounds.value;
  if (names.length < 2) return null;
  return (
    <label class="sound">
      <span>{t('control.sound')}</span>
      <select value={String(chosen)} onChange={(event) => session.chooseSound(event.currentTarget.selectedIndex)}>
        {names.map((name, index) => <option key={name} value={String(index)} translate={false}>{name}</option>)}
      </select>
    </label>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  hint: string;
  pressed?: boolean;
  onClick: () => void;
}

function IconButton({ icon, label, hint, pressed, onClick }: IconButtonProps) {
  return (
    <button
      type="button" class="icon-button" aria-label={label} title={`${label} (${hint})`} aria-keyshortcuts={hint}
      {...(pressed === undefined ? {} : { 'aria-pressed': pressed })} onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
