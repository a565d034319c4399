// Asks the server whether a stream is there, by requesting it and looking at the answer's head.

/** The server's answer. */
export interface Answer {
  answer: 'live' | 'missing' | 'forbidden' | 'refused' | 'unreachable';
  /** The playlist, the words of a 404, or why this protocol is refused; empty otherwise. */
  text: string;
  /** Server minus browser clock, where the difference is too large to be rounding. */
  clockOffsetMs: number | undefined;
}

const TIMEOUT_MS = 8_000;
/** A playlist or a sentence; anything longer is not for us. */
const MAX_TEXT_BYTES = 256 * 1024;

/** Requests `path` without any cache. `asking` is aborted once enough is known, which ends endless bodies. */
export async function question(path: string, asking: AbortController): Promise<Answer> {
  const timer = window.setTimeout(() => asking.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(path, {
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
      headers: { Accept: 'application/vnd.apple.mpegurl, text/plain;q=0.9, */*;q=0.5' },
      signal: asking.signal,
    });
    const clockOffsetMs = clockOffset(response.headers.get('date'), Date.now());
    const { status } = response;
    const endless = status < 300 && path.endsWith('.flv');
    const text = endless ? '' : await head(response);
    const answer = classify(status, text);
    return { answer, text: answer === 'refused' ? `${status} ${firstLine(text)}`.trim() : text, clockOffsetMs };
  } catch {
    return { answer: 'unreachable', text: '', clockOffsetMs: undefined };
  } finally {
    window.clearTimeout(timer);
    asking.abort();
  }
}

/**
 * What an answer means for the page. `refused` is about this protocol, so that another may do: any other error,
 * and a 404 that speaks of HLS instead of the stream (switched off, or no container for the codecs).
 */
export function classify(status: number, text: string): Answer['answer'] {
  if (status >= 200 && status < 300) return 'live';
  if (status === 401 || status === 403) return 'forbidden';
  if (status === 410) return 'missing';
  if (status === 404) return /\bHLS\b/.test(text) && !text.includes('no stream') ? 'refused' : 'missing';
  return 'refused';
}

/** The sentence of an error body: problem+json's `detail`, or the first line of a text; never markup. */
export function firstLine(text: string): string {
  let sentence = text;
  if (text.trimStart().startsWith('{')) {
    try {
      const problem = JSON.parse(text) as { detail?: unknown; title?: unknown };
      sentence = String(problem.detail ?? problem.title ?? '');
    } catch {
      sentence = '';
    }
  }
  const line = sentence.trim().split('\n')[0] ?? '';
  return line.startsWith('<') ? '' : line.slice(0, 200);
}

/** `Date` counts whole seconds, so only differences of two seconds and more say anything. */
export function clockOffset(date: string | null, nowMs: number): number | undefined {
  if (date === null) return undefined;
  const offset = Date.parse(date) + 500 - nowMs;
  if (!Number.isFinite(offset)) return undefined;
  return Math.abs(offset) < 2_000 ? 0 : offset;
}

async function head(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  const decoder = new TextDecoder();
  let text = '';
  for (let size = 0; size < MAX_TEXT_BYTES;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    text += decoder.decode(value, { stream: true });
  }
  return text;
}
