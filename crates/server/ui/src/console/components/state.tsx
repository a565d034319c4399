// A state as icon, word and colour, never colour alone.

import { word } from '../i18n';
import { Icon, type IconName } from './icon';

const LOOKS: Record<string, { icon: IconName; tone: string }> = {
  live: { icon: 'playing', tone: 'live' },
  interrupted: { icon: 'interrupted', tone: 'warn' },
  pending: { icon: 'waiting', tone: 'accent' },
  starting: { icon: 'loading', tone: 'accent' },
  failed: { icon: 'error', tone: 'bad' },
  forbidden: { icon: 'ban', tone: 'forbidden' },
  ended: { icon: 'ended', tone: 'dim' },
  unserved: { icon: 'paused', tone: 'dim' },
  recording: { icon: 'recordings', tone: 'live' },
  paused: { icon: 'paused', tone: 'warn' },
  suspended: { icon: 'interrupted', tone: 'warn' },
  finalizing: { icon: 'loading', tone: 'accent' },
  completed: { icon: 'check', tone: 'ok' },
  aborted: { icon: 'error', tone: 'bad' },
  running: { icon: 'check', tone: 'ok' },
  connecting: { icon: 'loading', tone: 'accent' },
  recovering: { icon: 'interrupted', tone: 'warn' },
  disconnecting: { icon: 'loading', tone: 'dim' },
  idle: { icon: 'waiting', tone: 'dim' },
  waiting: { icon: 'waiting', tone: 'accent' },
  sending: { icon: 'send', tone: 'accent' },
  delivered: { icon: 'check', tone: 'ok' },
  dead: { icon: 'error', tone: 'bad' },
  active: { icon: 'check', tone: 'ok' },
  disabled: { icon: 'paused', tone: 'dim' },
};

export function State({ name, quiet = false }: { name: string; quiet?: boolean }) {
  const look = LOOKS[name] ?? { icon: 'waiting' as const, tone: 'dim' };
  return <span class={`state tone-${look.tone}${quiet ? ' quiet' : ''}`} data-state-word={name}><Icon name={look.icon} />{word('is', name)}</span>;
}
