// The frame around the screens: navigation, what the connection is like, dialogs and toasts.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { LANGUAGES } from '../shared/i18n';
import { access, get, lastAnswer } from './api/client';
import { key, setKey } from './api/key';
import { Announcer } from './components/announcer';
import { Questions } from './components/dialog';
import { Icon, type IconName } from './components/icon';
import { Toasts } from './components/toast';
import { t } from './i18n';
import { hashOf, place, type Screen } from './router';
import { Callbacks } from './screens/callbacks';
import { ChannelScreen } from './screens/channel';
import { Live } from './screens/live';
import { Login, Logo } from './screens/login';
import { Recordings } from './screens/recordings';
import { Rooms } from './screens/rooms';
import { Settings } from './screens/settings';
import { Targets } from './screens/targets';
import { Usage } from './screens/usage';
import { store } from './stored';

const NAV: readonly { screen: Screen; icon: IconName; phone: boolean }[] = [
  { screen: 'live', icon: 'live', phone: true },
  { screen: 'rooms', icon: 'rooms', phone: false },
  { screen: 'recordings', icon: 'recordings', phone: true },
  { screen: 'targets', icon: 'targets', phone: false },
  { screen: 'callbacks', icon: 'callbacks', phone: true },
  { screen: 'usage', icon: 'usage', phone: false },
  { screen: 'settings', icon: 'settings', phone: false },
];

export function App() {
  const { screen, rest } = place.value;
  const main = useRef<HTMLElement>(null);
  const shown = useRef(`${screen}/${rest}`);
  useEffect(() => {
    const now = `${screen}/${rest}`;
    document.title = `${screen === 'channel' ? rest : t(`nav.${screen}`)} · sidestream`;
    if (shown.current === now) return;
    shown.current = now;
    window.scrollTo(0, 0);
    main.current?.focus();
  }, [screen, rest]);
  useEffect(() => {
    // The first question, for the screens that ask nothing at once.
    if (access.value === 'unknown') void get('/v1/streams?limit=1').catch(() => {});
  }, []);
  if (access.value === 'login' || access.value === 'elsewhere') return <><Login /><Toasts /></>;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>{t('nav.skip')}</a>
      <div class="frame">
        <Rail screen={screen} />
        <main id="main" ref={main} tabIndex={-1} data-screen={screen}>
          <Stale />
          <Shown screen={screen} rest={rest} />
        </main>
      </div>
      <BottomBar screen={screen} />
      <Questions />
      <Toasts />
      <Announcer />
    </>
  );
}

function Shown({ screen, rest }: { screen: Screen; rest: string }) {
  switch (screen) {
    case 'live': return <Live />;
    case 'channel': return rest.includes('/') ? <ChannelScreen key={rest} name={rest} /> : <Live />;
    case 'rooms': return <Rooms />;
    case 'recordings': return <Recordings />;
    case 'targets': return <Targets />;
    case 'callbacks': return <Callbacks />;
    case 'usage': return <Usage />;
    case 'settings': return <Settings />;
  }
}

function Rail({ screen }: { screen: Screen }) {
  return (
    <aside class="rail">
      <p class="brand"><Logo />sidestream</p>
      <nav aria-label={t('nav.label')}>
        {NAV.map(({ screen: to, icon }) => <NavLink key={to} to={to} icon={icon} current={to === screen || (to === 'live' && screen === 'channel')} />)}
      </nav>
      <div class="rail-foot"><Foot /></div>
    </aside>
  );
}

function NavLink({ to, icon, current }: { to: Screen; icon: IconName; current: boolean }) {
  return <a href={hashOf(to)} {...(current ? { 'aria-current': 'page' as const } : {})}><Icon name={icon} /><span>{t(`nav.${to}`)}</span></a>;
}

function Foot() {
  return (
    <>
      {LANGUAGES.filter(({ tag }) => tag !== t.tag).map(({ tag, name }) => (
        <button key={tag} type="button" class="link" lang={tag} onClick={() => { store('console.language', tag); location.assign(`${location.pathname}${location.hash}`); location.reload(); }}>{name}</button>
      ))}
      <a href="/docs" translate={false}>API</a>
      {key.value !== '' && <button type="button" class="link" onClick={() => { setKey(''); access.value = 'login'; }}>{t('login.out')}</button>}
    </>
  );
}

/** A phone's navigation: four things at the foot, the rest in a sheet. */
function BottomBar({ screen }: { screen: Screen }) {
  const sheet = useRef<HTMLDivElement>(null);
  const others = NAV.filter(({ phone }) => !phone);
  return (
    <nav class="bottom-bar" aria-label={t('nav.label')}>
      {NAV.filter(({ phone }) => phone).map(({ screen: to, icon }) => <NavLink key={to} to={to} icon={icon} current={to === screen || (to === 'live' && screen === 'channel')} />)}
      <button type="button" popovertarget="more" {...(others.some(({ screen: to }) => to === screen) ? { 'aria-current': 'page' as const } : {})}><Icon name="more" /><span>{t('nav.more')}</span></button>
      <div id="more" ref={sheet} popover="auto" class="menu" onClick={() => sheet.current?.hidePopover()}>
        {others.map(({ screen: to, icon }) => <NavLink key={to} to={to} icon={icon} current={to === screen} />)}
        <div class="sheet-foot"><Foot /></div>
      </div>
    </nav>
  );
}

const STALE_MS = 5_000;

/** Says for how long the server has not answered. */
function Stale() {
  const seconds = useSignal(0);
  useEffect(() => {
    let since = performance.now();
    const timer = window.setInterval(() => {
      if (document.hidden) since = performance.now();
      seconds.value = Math.floor((performance.now() - Math.max(since, lastAnswer.value)) / 1000);
    }, 1_000);
    return () => window.clearInterval(timer);
  }, []);
  // Screens without figures ask every twenty seconds; only who asks can be without an answer.
  useEffect(() => {
    if (seconds.value * 1000 >= STALE_MS) void get('/v1/streams?limit=1').catch(() => {});
  }, [Math.floor(seconds.value / 3)]);
  if (seconds.value < 8) return null;
  return <p class="stale tone-warn" role="status"><Icon name="interrupted" /><span>{t('stale.text', { seconds: seconds.value })}</span></p>;
}
