// Entry of the watch page.

import '../shared/tokens.css';
import '../shared/base.css';
import './player.css';
import './watch.css';
import { effect } from '@preact/signals';
import { render } from 'preact';
import { chooseLanguage, translator } from '../shared/i18n';
import { nameOf, parseAddress } from './address';
import { NoStream, Page } from './page';
import { detectAbilities, Session } from './session';

const root = document.documentElement;
const mount = document.getElementById('app');
if (mount === null) throw new Error('watch.html has no #app');

const address = parseAddress(location.pathname, location.search);
const wanted = new URLSearchParams(location.search).get('lang');
const t = translator(chooseLanguage(wanted === null ? navigator.languages : [wanted, ...navigator.languages]));
root.lang = t.tag;

if (address === undefined) {
  root.dataset.state = 'error';
  render(<NoStream t={t} />, mount);
} else {
  document.title = nameOf(address);
  const embedded = window.self !== window.top;
  root.dataset.layout = embedded || !address.controls ? 'frame' : 'page';
  const session = new Session(address, detectAbilities());
  effect(() => { root.dataset.state = session.model.value.phase; });
  render(<Page address={address} session={session} t={t} bare={!address.controls} />, mount);
}
