// Numbers with units, in the viewer's language. Decimal for traffic, always a unit, `–` for not known.

/** Shown where a value is not known (yet). */
export const UNKNOWN = '–';

/** Bits per second: `310 kbit/s`, `2.51 Mbit/s`. */
export function bitrate(bitsPerSecond: number | undefined, locale: string): string {
  if (!usable(bitsPerSecond)) return UNKNOWN;
  if (bitsPerSecond >= 999_500) return `${digits(bitsPerSecond / 1e6, bitsPerSecond >= 99.95e6 ? 0 : bitsPerSecond >= 9.995e6 ? 1 : 2, locale)} Mbit/s`;
  return `${digits(bitsPerSecond / 1e3, 0, locale)} kbit/s`;
}

/** Bytes: `512 B`, `1.2 MB`. */
export function bytes(count: number | undefined, locale: string): string {
  if (!usable(count)) return UNKNOWN;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${digits(value, unit === 0 || value >= 9.95 ? 0 : 1, locale)} ${units[unit] ?? 'B'}`;
}

/** Seconds with one decimal: `1.4 s`; below one second in hundredths. */
export function seconds(value: number | undefined, locale: string): string {
  if (!usable(value)) return UNKNOWN;
  return `${digits(value, value < 0.995 ? 2 : 1, locale)} s`;
}

/** Frames per second: `25 fps`, `29.97 fps`. */
export function frameRate(value: number | undefined, locale: string): string {
  if (!usable(value) || value === 0) return UNKNOWN;
  const whole = Math.abs(value - Math.round(value)) < 0.005;
  return `${digits(value, whole ? 0 : 2, locale)} fps`;
}

/** Whole numbers with grouping. */
export function count(value: number | undefined, locale: string): string {
  return usable(value) ? digits(value, 0, locale) : UNKNOWN;
}

/** `1920×1080`, or unknown without a picture. */
export function resolution(width: number, height: number): string {
  return width > 0 && height > 0 ? `${width}×${height}` : UNKNOWN;
}

function usable(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value) && value >= 0;
}

const formats = new Map<string, Intl.NumberFormat>();

function digits(value: number, fraction: number, locale: string): string {
  const key = `${locale}/${fraction}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(locale, { minimumFractionDigits: fraction, maximumFractionDigits: fraction });
    formats.set(key, format);
  }
  return format.format(value);
}
