// The policy's fields as the editor shows them, and the merge patch (RFC 7396) that changes what differs.

export type Policy = Record<string, unknown>;

export type FieldKind =
  | { kind: 'switch' }
  | { kind: 'seconds'; least: number; most: number }
  | { kind: 'number'; most: number }
  | { kind: 'word'; words: readonly string[] }
  | { kind: 'words'; words: readonly string[] }
  | { kind: 'text' };

export interface PolicyField { path: string; field: FieldKind }

const seconds = (most: number, least = 0): FieldKind => ({ kind: 'seconds', least, most });

/** In the order of the form, by group. */
export const GROUPS: readonly { name: 'bypass' | 'record' | 'life' | 'limits'; fields: readonly PolicyField[] }[] = [
  { name: 'bypass', fields: [
    { path: 'auto_bypass.enabled', field: { kind: 'switch' } },
    { path: 'auto_bypass.sources', field: { kind: 'words', words: ['main', 'aux'] } },
    { path: 'auto_bypass.protocols', field: { kind: 'words', words: ['hls', 'rtmp', 'flv'] } },
    { path: 'unknown_publish', field: { kind: 'word', words: ['reject', 'adopt'] } },
    { path: 'uniqueness', field: { kind: 'word', words: ['user', 'user_source'] } },
  ] },
  { name: 'record', fields: [
    { path: 'auto_record.enabled', field: { kind: 'switch' } },
    { path: 'auto_record.formats', field: { kind: 'words', words: ['mp4', 'hls', 'flv', 'ts', 'aac', 'hls-ts'] } },
    { path: 'auto_record.media', field: { kind: 'word', words: ['av', 'audio', 'video'] } },
    { path: 'auto_record.segment_s', field: seconds(86_400, 10) },
    { path: 'auto_record.hls_resume_s', field: seconds(1_800) },
    { path: 'compat_matrix', field: { kind: 'switch' } },
  ] },
  { name: 'life', fields: [
    { path: 'reconnect_window_s', field: seconds(3_600) },
    { path: 'viewer_end_grace_s', field: seconds(3_600) },
    { path: 'channel_retention_s', field: seconds(86_400) },
    { path: 'room_idle_s', field: seconds(86_400) },
    { path: 'record_idle_s', field: seconds(86_400) },
    { path: 'start_min_interval_s', field: seconds(3_600) },
    { path: 'start_retry_s', field: seconds(3_600) },
  ] },
  { name: 'limits', fields: [
    { path: 'max_channels', field: { kind: 'number', most: 1_000_000 } },
    { path: 'max_targets', field: { kind: 'number', most: 10 } },
    { path: 'stream_code_rule', field: { kind: 'text' } },
  ] },
];

/** The value at `a.b` of a policy. */
export function valueAt(policy: Policy, path: string): unknown {
  return path.split('.').reduce<unknown>((value, part) => (value as Policy | undefined)?.[part], policy);
}

/** `policy` with another value at `a.b`. */
export function withValue(policy: Policy, path: string, value: unknown): Policy {
  const [first = '', ...rest] = path.split('.');
  if (rest.length === 0) return { ...policy, [first]: value };
  return { ...policy, [first]: withValue((policy[first] ?? {}) as Policy, rest.join('.'), value) };
}

/** What differs, as a merge patch. */
export function patchOf(before: Policy, after: Policy): Policy {
  let patch: Policy = {};
  for (const { fields } of GROUPS) for (const { path } of fields) {
    const value = valueAt(after, path);
    if (JSON.stringify(value) !== JSON.stringify(valueAt(before, path))) patch = withValue(patch, path, value);
  }
  return patch;
}
