// Entry of the console.

import '../shared/tokens.css';
import '../shared/base.css';
import '../watch/player.css';
import './css/frame.css';
import './css/parts.css';
import './css/screens.css';
import { effect } from '@preact/signals';
import { render } from 'preact';
import { access } from './api/client';
import { followEvents } from './api/events';
import { takeKeyFromAddress } from './api/key';
import { App } from './app';
import { chooseMessages, t } from './i18n';

const root = document.documentElement;
const mount = document.getElementById('app');
if (mount === null) throw new Error('console.html has no #app');

takeKeyFromAddress();
await chooseMessages();
root.lang = t.tag;
effect(() => { root.dataset.state = access.value; });
followEvents();
render(<App />, mount);
