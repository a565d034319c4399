// Flat message files, one per language; a test holds their keys equal. `{name}` is replaced by a value.

import en from '../i18n/en.json';
import zhCN from '../i18n/zh-CN.json';

export type Key = keyof typeof en;

/** Languages in the order the switch shows them, with their own names. */
export const LANGUAGES = [
  { tag: 'en', name: 'English', messages: en as Record<Key, string> },
  { tag: 'zh-CN', name: '中文', messages: zhCN as Record<Key, string> },
] as const;

/** Looks messages up in one language. */
export interface Translator {
  /** BCP 47 tag, for `lang` and `Intl`. */
  readonly tag: string;
  (key: Key, values?: Readonly<Record<string, string | number>>): string;
}

/** The best tag we have for `wanted`, most wanted first; English when none fits. */
export function chooseLanguage(wanted: readonly string[]): string {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split('-')[0];
    const found = LANGUAGES.find((language) => language.tag.toLowerCase().split('-')[0] === base);
    if (found !== undefined) return found.tag;
  }
  return 'en';
}

export function translator(tag: string): Translator {
  const language = LANGUAGES.find((candidate) => candidate.tag === tag) ?? LANGUAGES[0];
  const translate = (key: Key, values: Readonly<Record<string, string | number>> = {}) =>
    language.messages[key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  return Object.assign(translate, { tag: language.tag });
}
