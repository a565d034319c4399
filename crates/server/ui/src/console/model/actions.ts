// What can be done to a stream, each with the question or the way back that it needs.

import { ask, post } from '../api/client';
import { confirmed } from '../components/dialog';
import { complain, doing, say } from '../components/toast';
import { t } from '../i18n';

/** The last part of a stream's name, by which the control plane knows it. */
export function codeOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

export function streamPath(name: string): string {
  return `/v1/streams/${name.split('/').map(encodeURIComponent).join('/')}`;
}

export async function stopChannel(id: string, name: string): Promise<void> {
  if (!await confirmed(t('stop.title', { stream: name }), t('stop.text'), t('action.stop'))) return;
  try {
    const stopped = await post<{ effect: string }>(`/v1/channels/${encodeURIComponent(id)}:stop`);
    say(stopped.effect === 'ignored_auto' ? t('stop.ignored', { stream: name }) : t('stop.done', { stream: name }));
  } catch (error) {
    complain(error);
  }
}

export async function dropPublisher(name: string): Promise<void> {
  if (!await confirmed(t('drop.title', { stream: name }), t('drop.text'), t('action.drop'))) return;
  await doing(() => ask('DELETE', `${streamPath(name)}/publisher`), t('drop.done', { stream: name }));
}

/** Forbids until `until` (90 days when undefined); the toast takes it back. */
export async function forbid(name: string, until: Date | undefined, reason: string): Promise<boolean> {
  const body = { ...(until === undefined ? {} : { until: until.toISOString() }), reason };
  const done = await doing(() => post(`/v1/streams/${encodeURIComponent(codeOf(name))}:forbid`, body));
  if (done) say(t('forbid.done', { stream: name }), () => void resume(name));
  return done;
}

export async function resume(name: string): Promise<void> {
  await doing(() => post(`/v1/streams/${encodeURIComponent(codeOf(name))}:resume`), t('resume.done', { stream: name }));
}

/** Fetches every page of a list, at most `most` things. */
export async function all<T>(path: string, signal: AbortSignal | undefined, most = 1_000): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = '';
  while (cursor !== null && items.length < most) {
    const join: string = path.includes('?') ? '&' : '?';
    const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { items: T[]; next_cursor: string | null } = await ask('GET', `${path}${join}limit=500${from}`, signal === undefined ? {} : { signal });
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  return items;
}
