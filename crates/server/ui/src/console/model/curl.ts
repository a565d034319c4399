// The curl command that asks for the same as a form does.

export function curl(method: string, path: string, body: unknown, origin: string, keyed: boolean): string {
  const parts = ['curl'];
  if (method !== 'POST' || body === undefined) parts.push(`-X ${method}`);
  if (keyed) parts.push("-H 'Authorization: Bearer KEY'");
  if (body !== undefined) parts.push(`-d ${quoted(JSON.stringify(body))}`);
  parts.push(quotedWhereNeeded(`${origin}${path}`));
  return parts.join(' ');
}

function quotedWhereNeeded(text: string): string {
  return /^[\w@%+=:,./[\]-]+$/.test(text) ? text : quoted(text);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
