// Times for people, in the language of the page.

/** `0:04:31`, `2 d 03:10`. */
export function clock(seconds: number | null | undefined): string {
  if (seconds === undefined || seconds === null || !Number.isFinite(seconds) || seconds < 0) return '–';
  const whole = Math.floor(seconds);
  const [days, hours, minutes, rest] = [Math.floor(whole / 86_400), Math.floor(whole / 3_600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return days > 0 ? `${days} d ${two(hours)}:${two(minutes)}` : `${hours}:${two(minutes)}:${two(rest)}`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** A moment: time alone for today, else day and time. */
export function moment(text: string | null | undefined, locale: string, now = new Date()): string {
  if (text === null || text === undefined) return '–';
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return '–';
  const today = date.toDateString() === now.toDateString();
  return format(locale, today ? 'time' : 'both').format(date);
}

/** A moment in full, for titles. */
export function fullMoment(text: string | null | undefined, locale: string): string {
  return text === null || text === undefined ? '' : format(locale, 'full').format(new Date(text));
}

function format(locale: string, kind: 'time' | 'both' | 'full'): Intl.DateTimeFormat {
  const key = `${locale}/${kind}`;
  let found = formats.get(key);
  if (found === undefined) {
    found = new Intl.DateTimeFormat(locale, kind === 'time' ? { timeStyle: 'medium', hour12: false }
      : kind === 'both' ? { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hour12: false }
        : { dateStyle: 'full', timeStyle: 'long' });
    formats.set(key, found);
  }
  return found;
}

/** Seconds until `text`, at least 0. */
export function secondsUntil(text: string, now = Date.now()): number {
  return Math.max(0, (Date.parse(text) - now) / 1000);
}
