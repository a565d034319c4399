// The console's messages beside those of the watch page, whose player it shows. The language is chosen once: a
// change loads the page again. Only English is part of the page; others are fetched where they are wanted.

import { chooseLanguage, LANGUAGES, type Key as PlayerKey } from '../shared/i18n';
import en from '../i18n/console.en.json';
import { stored } from './stored';

type OwnKey = keyof typeof en;
export type Key = OwnKey | PlayerKey;

/** Looks messages up in the chosen language; also does for the parts shared with the watch page. */
export interface Translator {
  readonly tag: string;
  (key: Key, values?: Readonly<Record<string, string | number>>): string;
}

/** Shows which words come from a message file: tests look for letters outside of these brackets. */
export const PSEUDO = 'en-x-pseudo';

const OTHERS: Record<string, () => Promise<{ default: Record<OwnKey, string> }>> = {
  'zh-CN': () => import('../i18n/console.zh-CN.json'),
};

let messages: Record<string, string> = { ...LANGUAGES[0].messages, ...en };
let pseudo = false;

const translate = (key: Key, values: Readonly<Record<string, string | number>> = {}) => {
  const text = (messages[key] ?? key).replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  return pseudo ? `⟦${text}⟧` : text;
};

/** The console's messages. */
export const t: Translator & { tag: string } = Object.assign(translate, { tag: 'en' });

/** Chooses the language by the address, by what was chosen before, by the browser; English when it cannot be had. */
export async function chooseMessages(): Promise<void> {
  const asked = new URLSearchParams(location.search).get('lang');
  pseudo = asked === PSEUDO;
  const tag = chooseLanguage([asked, stored('console.language'), ...navigator.languages].filter((one): one is string => one !== null && one !== ''));
  const own = await OTHERS[tag]?.().catch(() => undefined);
  const shared = LANGUAGES.find((language) => language.tag === tag);
  if (own === undefined || shared === undefined) return;
  messages = { ...shared.messages, ...own.default };
  t.tag = tag;
}

/** `is.live` and the like, where the word comes from the server; its own word where it is new to us. */
export function word(prefix: string, name: string): string {
  const key = `${prefix}.${name}`;
  return key in en ? t(key as Key) : name;
}
