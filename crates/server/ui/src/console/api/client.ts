// Requests to `/v1`: the key, JSON, problems as exceptions; and what the answers say about the connection.

import { signal } from '@preact/signals';
import { key, setKey } from './key';

/** What a problem+json answer says (RFC 9457). */
export interface Problem {
  status: number;
  /** `CHANNEL_EXISTS` and the like; empty when no server answered. */
  reason: string;
  /** One sentence for people. */
  detail: string;
  errors: readonly { pointer?: string; parameter?: string; detail: string }[];
}

/** A request that was refused, or not answered. */
export class Refusal extends Error {
  constructor(readonly problem: Problem) {
    super(sentence(problem));
  }

  get status(): number { return this.problem.status; }
  get reason(): string { return this.problem.reason; }
}

/** Whether the API lets this page in: unknown at first, `login` wants a key, `elsewhere` is open mode from another machine. */
export type Access = 'unknown' | 'granted' | 'login' | 'elsewhere';

export const access = signal<Access>('unknown');
/** The key that was tried last was not taken. */
export const wasRefused = signal(false);
/** The server's sentence for `elsewhere`. */
export const accessDetail = signal('');
/** When the server answered last, by the page's clock in milliseconds. */
export const lastAnswer = signal(0);

const TIMEOUT_MS = 10_000;

export interface Options {
  body?: unknown;
  signal?: AbortSignal;
  headers?: Readonly<Record<string, string>>;
}

/** Sends a request to the API; throws [`Refusal`]. */
export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const given = options.signal === undefined ? [] : [options.signal];
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      cache: 'no-store',
      headers: {
        Accept: 'application/json',
        ...authorization(),
        ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: AbortSignal.any([...given, AbortSignal.timeout(TIMEOUT_MS)]),
    });
  } catch (error) {
    if (options.signal?.aborted === true) throw error;
    throw new Refusal({ status: 0, reason: '', detail: '', errors: [] });
  }
  lastAnswer.value = performance.now();
  if (response.ok) {
    access.value = 'granted';
    wasRefused.value = false;
    return response;
  }
  const problem = await problemOf(response);
  learn(problem);
  throw new Refusal(problem);
}

/** As [`send`], with the answer's JSON; undefined for an empty one. */
export async function ask<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const response = await send(method, path, options);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const get = <T>(path: string, signal?: AbortSignal) => ask<T>('GET', path, signal === undefined ? {} : { signal });
export const post = <T>(path: string, body?: unknown) => ask<T>('POST', path, body === undefined ? {} : { body });

/** The header that goes with every request, also with those that players send. */
export function authorization(): Record<string, string> {
  return key.value === '' ? {} : { Authorization: `Bearer ${key.value}` };
}

/** What an answer tells about who we are to the server. */
function learn(problem: Problem): void {
  if (problem.status === 401) {
    wasRefused.value = key.value !== '';
    setKey('');
    access.value = 'login';
  } else if (problem.reason === 'PERMISSION_DENIED' && key.value === '') {
    accessDetail.value = problem.detail;
    access.value = 'elsewhere';
  } else {
    access.value = 'granted';
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text().catch(() => '');
  let body: Partial<Problem> = {};
  try {
    body = JSON.parse(text) as Partial<Problem>;
  } catch {
    // Not ours: a proxy's page.
  }
  return {
    status: response.status,
    reason: typeof body.reason === 'string' ? body.reason : '',
    detail: typeof body.detail === 'string' ? body.detail : `HTTP ${response.status}`,
    errors: Array.isArray(body.errors) ? body.errors : [],
  };
}

/** A problem as one sentence: each wrong field by name where there are any. */
export function sentence(problem: Problem): string {
  if (problem.errors.length === 0) return problem.detail;
  return problem.errors.map(({ pointer, parameter, detail }) => `${pointer?.slice(1).replaceAll('/', '.') ?? parameter ?? ''} ${detail}`.trim()).join('; ');
}
