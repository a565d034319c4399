// Codec strings (RFC 6381) to the names people know, the same words as in the server's log.

/** Name of one codec string: `avc1.64001f` is `H.264 High@3.1`. Unknown ones are returned as they are. */
export function codecName(codec: string): string {
  const [kind = '', ...rest] = codec.trim().split('.');
  switch (kind.toLowerCase()) {
    case 'avc1': case 'avc3': return h264(rest[0] ?? '');
    case 'hvc1': case 'hev1': return hevc(rest);
    case 'av01': return 'AV1';
    case 'vp09': case 'vp9': return 'VP9';
    case 'mp4a': return mp4a(rest.join('.').toLowerCase());
    case 'mp3': return 'MP3';
    case 'opus': return 'Opus';
    case 'flac': return 'FLAC';
    case 'ac-3': return 'AC-3';
    case 'ec-3': return 'E-AC-3';
    default: return codec.trim();
  }
}

/** Names of a list of codec strings, video first as given, joined by `+`. */
export function codecNames(codecs: readonly string[]): string {
  return codecs.map(codecName).join(' + ');
}

/** Splits a `CODECS` attribute or the list inside a MIME type. */
export function splitCodecs(list: string): string[] {
  return list.split(',').map((codec) => codec.trim()).filter((codec) => codec !== '');
}

const H264_PROFILE: Record<number, string> = {
  66: 'Baseline', 77: 'Main', 88: 'Extended', 100: 'High', 110: 'High 10', 122: 'High 4:2:2', 244: 'High 4:4:4',
};

// ISO/IEC 14496-15 Annex E: profile, constraint flags and level as three hex bytes.
function h264(hex: string): string {
  if (!/^[0-9a-f]{6}$/i.test(hex)) return 'H.264';
  const profile = parseInt(hex.slice(0, 2), 16);
  const constraints = parseInt(hex.slice(2, 4), 16);
  const level = parseInt(hex.slice(4, 6), 16);
  const name = profile === 66 && (constraints & 0x40) !== 0 ? 'Constrained Baseline' : H264_PROFILE[profile];
  return name === undefined ? 'H.264' : `H.264 ${name}@${(level / 10).toFixed(1)}`;
}

const HEVC_PROFILE: Record<string, string> = { 1: 'Main', 2: 'Main 10', 3: 'Main Still', 4: 'Range Extensions' };

// ISO/IEC 14496-15 Annex E: profile, compatibility, tier letter with level × 30.
function hevc([profile = '', , tier = '']: string[]): string {
  const name = HEVC_PROFILE[profile.replace(/^[abc]/i, '')];
  const level = /^[LH](\d+)$/.exec(tier)?.[1];
  if (name === undefined) return 'HEVC';
  return level === undefined ? `HEVC ${name}` : `HEVC ${name}@${(Number(level) / 30).toFixed(1)}`;
}

function mp4a(object: string): string {
  switch (object) {
    case '40.2': return 'AAC-LC';
    case '40.5': return 'HE-AAC';
    case '40.29': return 'HE-AAC v2';
    case '40.34': case '69': case '6b': return 'MP3';
    default: return 'AAC';
  }
}
