// Downloads: a plain link where nobody asks for a key; else read with the key and handed over whole.

import { authorization, Refusal } from '../api/client';
import { key } from '../api/key';

export async function download(path: string, name: string): Promise<void> {
  if (key.value === '') return follow(path, name);
  const url = await objectUrl(path);
  follow(url, name);
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return undefined;
}

/** The content of `path` as a blob: address, for elements that cannot send a key. */
export async function objectUrl(path: string, signal?: AbortSignal): Promise<string> {
  const response = await fetch(path, { headers: authorization(), cache: 'no-store', ...(signal === undefined ? {} : { signal }) });
  if (!response.ok) throw new Refusal({ status: response.status, reason: '', detail: `HTTP ${response.status}`, errors: [] });
  return URL.createObjectURL(await response.blob());
}

function follow(url: string, name: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

/** An answer that only an asker with the key gets, as a file. */
export async function downloadText(path: string, name: string): Promise<void> {
  const url = await objectUrl(path);
  follow(url, name);
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
