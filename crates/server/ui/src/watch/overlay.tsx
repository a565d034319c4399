// What lies over the picture: the state in words where there is nothing to see, and the large buttons.

import type { Key, Translator } from '../shared/i18n';
import { Icon } from '../shared/icons';
import { codecNames, splitCodecs } from './codecs';
import type { Failure, Model } from './machine';
import { PROTOCOL_NAME } from './protocol';
import type { Session } from './session';

export function Overlay({ session, name, t, bare }: { session: Session; name: string; t: Translator; bare: boolean }) {
  const model = session.model.value;
  const { phase } = model;
  if (session.blocked.value) {
    return (
      <div class="overlay">
        <button type="button" class="large" onClick={() => session.togglePlay()}><Icon name="play" />{t('control.play')}</button>
        <p class="dim">{t('autoplay.text')}</p>
      </div>
    );
  }
  if (phase === 'playing') {
    return (
      <>
        {session.audioOnly.value && <div class="overlay"><Icon name="volume" /><p>{t('audio.text')}</p></div>}
        {session.muted.value && !session.paused.value && !bare && (
          <button type="button" class="large unmute" onClick={() => session.toggleMute()}><Icon name="muted" />{t('control.unmute')}</button>
        )}
      </>
    );
  }
  const countdown = session.countdown.value;
  return (
    <div class={`overlay overlay-${phase}`}>
      <Icon name={phase} />
      <p class="word">{t(stateWord(model))}</p>
      <p>{stateText(model, name, t)}</p>
      {phase === 'unsupported' && <p class="dim">{t('unsupported.advice')}</p>}
      {phase === 'error' && model.trouble !== 'no-player' && (
        <p class="retry">
          <span class="dim" data-countdown={countdown ?? 0}>
            {countdown === undefined ? t('error.trying') : t('error.countdown', { seconds: countdown })}
          </span>
          <button type="button" class="button" onClick={() => session.retry()}>{t('error.retry')}</button>
        </p>
      )}
    </div>
  );
}

/** The word for the state the page is in; an error that is no matter of the connection has its own. */
export function stateWord(model: Model): Key {
  return model.phase === 'error' && model.trouble !== 'unreachable' ? 'state.trouble' : `state.${model.phase}`;
}

/** One sentence for the state the page is in. */
export function stateText(model: Model, name: string, t: Translator): string {
  switch (model.phase) {
    case 'loading': return t('loading.text', { stream: name });
    case 'waiting': return t('waiting.text', { stream: name });
    case 'playing': return '';
    case 'interrupted': return t('interrupted.text');
    case 'ended': return t('ended.text', { stream: name });
    case 'unsupported': return t('unsupported.text', { codec: unsupportedCodecs(model.failures) });
    case 'error': {
      if (model.trouble === 'failed') {
        const failure = model.failures[model.failures.length - 1];
        return t('error.failed', { stream: name, reason: failure === undefined ? '' : reasonText(failure, t) });
      }
      return t(`error.${model.trouble ?? 'unreachable'}`, { stream: name });
    }
  }
}

/** Why a protocol was given up, as part of a sentence. */
export function reasonText(failure: Failure, t: Translator): string {
  const detail = failure.kind === 'codec' ? codecNames(splitCodecs(failure.detail)) : failure.detail;
  return t(`reason.${failure.kind}`, { detail: detail || PROTOCOL_NAME[failure.protocol] });
}

/** Names of the codecs all attempts stumbled over, each once. */
export function unsupportedCodecs(failures: readonly Failure[]): string {
  const codecs = failures.filter((failure) => failure.kind === 'codec').flatMap((failure) => splitCodecs(failure.detail));
  const names = [...new Set(codecs.map((codec) => codecNames([codec])))];
  // `H.264` adds nothing to `H.264 High@4.0`.
  return names.filter((name) => !names.some((other) => other !== name && other.startsWith(name))).join(', ') || '?';
}
