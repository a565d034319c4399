// Drives the console through the states that need no relay, against a server of its own:
//
//   node console-states.mjs [FOLDER_FOR_SCREENSHOTS]
//
// Holds: every screen says what to do while it is empty; signing in, with a wrong key first; a key in the address; not this
// machine; no permission; no answer; the page's size; a hidden tab asks nothing, and an open one not more than it says; both languages; axe in both
// themes; 360 px. Prints one line per case, exits 1 on the first failure.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { PHONE, bareWords, check, equal, launch, open, sound, until } from './harness.mjs';

const folder = process.argv[2];
const ui = new URL('..', import.meta.url);
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; media-src 'self' blob:; "
  + "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { js: 'text/javascript', css: 'text/css', html: 'text/html; charset=utf-8' };
const KEY = 'ss_live_right';

/** How the relay behaves now, and what it was asked. */
let behaviour = 'open';
let asked = [];

const page = (items) => ({ items, next_cursor: null });
const POLICY = {
  auto_bypass: { enabled: true, sources: ['main'], protocols: ['hls'] }, auto_record: { enabled: false, formats: ['mp4'], media: 'av', segment_s: 5400, hls_resume_s: 0 },
  uniqueness: 'user', unknown_publish: 'adopt', stream_code_rule: 'classic_md5', compat_matrix: false, reconnect_window_s: 60, viewer_end_grace_s: 7, channel_retention_s: 3600,
  room_idle_s: 90, record_idle_s: 60, start_min_interval_s: 3, start_retry_s: 5, max_channels: 100, max_targets: 10, etag: '"3"',
};
const ANSWERS = {
  '/v1/server': {
    version: '0.0.0', started_at: '2026-11-22T00:00:00Z', mode: 'open', key: { name: 'this machine', scopes: ['admin'] }, http: 'http://localhost:8080', rtmp: 'rtmp://localhost',
    hls: { enabled: true, low_latency: true, segment_s: 2, part_s: 0.333, segments: 7 }, limits: { connections_free: 9, body_bytes: 262144, api_rate: 5000 }, callbacks: true, missing: [],
  },
  '/v1/policy': POLICY,
  '/v1/billing-mode': { mode: 'traffic', next: null },
  '/v1/usage/peaks': { day: '2026-11-22', traffic_bytes: { down: 0, up: 0 }, peak_bps: { down: 0, up: 0 }, channels_peak: 0, record_channels_peak: 0, billing_mode: 'traffic', billable: { traffic_gb: 0, peak_mbps: 0 } },
};

function problem(response, status, reason, detail) {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ status, reason, detail }));
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  const file = pathname === '/console' ? 'console.html' : /^\/assets\/([\w.-]+\.(?:js|css))$/.exec(pathname)?.[1];
  if (file !== undefined) {
    response.writeHead(200, { 'content-type': TYPES[file.split('.').pop()], 'content-security-policy': CSP, 'x-content-type-options': 'nosniff' });
    return response.end(readFileSync(new URL(`dist/${file}`, ui)));
  }
  if (!pathname.startsWith('/v1/')) return response.writeHead(404, { 'content-type': 'text/plain' }).end('no stream live/gone\n');
  asked.push({ method: request.method, path: request.url, key: request.headers.authorization ?? '', at: performance.now() });
  if (behaviour === 'down') return request.socket.destroy();
  if (behaviour === 'elsewhere' && request.headers.authorization === undefined) return problem(response, 403, 'PERMISSION_DENIED', 'without API keys /v1 answers this machine only');
  if (behaviour === 'keyed' && request.headers.authorization !== `Bearer ${KEY}`) return problem(response, 401, 'UNAUTHENTICATED', 'no Authorization header');
  if (behaviour === 'denied' && pathname.startsWith('/v1/webhooks')) return problem(response, 403, 'SERVICE_NOT_ENABLED', 'this relay runs without callbacks');
  if (behaviour === 'denied' && request.method === 'PATCH') return problem(response, 403, 'PERMISSION_DENIED', 'this needs the scope admin; the key "guest" has read');
  if (behaviour === 'denied' && pathname === '/v1/files') return problem(response, 403, 'PERMISSION_DENIED', 'this needs the scope read; the key "guest" has publish');
  if (pathname === '/v1/events/stream') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return response.write(': events follow\n\n');
  }
  if (pathname.startsWith('/v1/streams/')) return problem(response, 404, 'STREAM_NOT_FOUND', 'no stream live/gone');
  response.writeHead(200, { 'content-type': 'application/json' });
  return response.end(JSON.stringify(ANSWERS[pathname] ?? page([])));
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const origin = `http://127.0.0.1:${server.address().port}`;
const EMPTY = [
  ['live', 'Nothing is live yet.'], ['channel/live/gone', 'live/gone is not known here'], ['rooms', 'No rooms.'], ['recordings', 'Nothing recorded.'],
  ['targets', 'Send a stream to another RTMP server.'], ['callbacks', 'No endpoint.'], ['usage', 'nothing used'], ['settings', 'Policy'],
];

const browser = await launch();
let failed = false;
try {
  const bytes = ['console.html', 'console.js', 'console.css'].reduce((sum, name) => sum + gzipSync(readFileSync(new URL(`dist/${name}`, ui)), { level: 9 }).length, 0);
  check(bytes <= 90_000, `the console has ${bytes} bytes gzipped, more than 90 000`);
  console.log(`ok size: ${bytes} bytes gzipped`);
  await scene('empty screens', 'open', {}, emptyScreens);
  await scene('empty screens, phone', 'open', PHONE, emptyPhone);
  await scene('sign in', 'keyed', {}, signIn);
  await scene('a key in the address', 'keyed', {}, keyInAddress);
  await scene('not this machine', 'elsewhere', { colorScheme: 'dark' }, elsewhere);
  await scene('no permission', 'denied', {}, denied);
  await scene('no answer', 'open', {}, stale);
  await scene('hidden tab', 'open', {}, hiddenTab);
  await scene('Chinese', 'open', { locale: 'zh-CN' }, chinese);
} catch (error) {
  failed = true;
  console.error(`error: ${error.message}`);
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
}
process.exit(failed ? 1 : 0);

async function emptyScreens(tab) {
  for (const [screen, words] of EMPTY) {
    await tab.goto(`${origin}/console#/${screen}`);
    await says(tab, words);
    for (const colorScheme of ['light', 'dark']) {
      await tab.emulateMedia({ colorScheme });
      await tab.waitForTimeout(100);
      await sound(tab, `${screen}, ${colorScheme}`, colorScheme === 'dark');
    }
  }
  await tab.goto(`${origin}/console?lang=en-x-pseudo#/live`);
  await until(async () => (await tab.innerText('body')).includes('⟦Nothing is live yet.⟧'), 'no pseudo language');
  equal(await bareWords(tab), []);
}

async function emptyPhone(tab) {
  for (const [screen, words] of EMPTY) {
    await tab.goto(`${origin}/console#/${screen}`);
    await says(tab, words);
    check(await tab.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `${screen} scrolls sideways`);
    const small = await tab.$$eval('button, select, .copy-field input, .bottom-bar a', (elements) => elements
      .filter((element) => element.checkVisibility() && element.closest('dialog, [popover]') === null)
      .map((element) => ({ name: element.outerHTML.slice(0, 90), height: element.getBoundingClientRect().height }))
      .filter(({ height }) => height > 0 && height < 40));
    equal(small, [], `${screen}: small targets`);
  }
}

async function signIn(tab) {
  await tab.goto(`${origin}/console#/recordings`);
  await tab.waitForSelector('.login');
  await sound(tab, 'sign in');
  await tab.fill('input[type=password]', 'wrong');
  await tab.keyboard.press('Enter');
  await tab.waitForSelector('[role=alert]');
  await tab.fill('input[type=password]', KEY);
  await tab.keyboard.press('Enter');
  await tab.waitForSelector('[data-screen=recordings]');
  await says(tab, 'Nothing recorded.');
  check(!asked.some(({ path }) => path.includes(KEY)), 'the key stood in an address');
  await tab.reload();
  await tab.waitForSelector('[data-screen=recordings]');
  equal(await tab.evaluate(() => [localStorage.length, document.cookie]), [0, ''], 'what outlives the tab');
  await tab.click('.rail-foot button:has-text("Sign out")');
  await tab.waitForSelector('.login');
  await tab.reload();
  await tab.waitForSelector('.login');
}

async function keyInAddress(tab) {
  await tab.goto(`${origin}/console#key=${KEY}`);
  await says(tab, 'Nothing is live yet.');
  check(!(await tab.evaluate(() => location.href)).includes(KEY), 'the key stays in the address');
}

async function elsewhere(tab) {
  await tab.goto(`${origin}/console`);
  await tab.waitForSelector('.login');
  const text = await tab.innerText('.login');
  check(text.includes('Not this machine'), text);
  const port = new URL(origin).port;
  equal(await tab.inputValue('.login .copy-field input'), `ssh -L ${port}:localhost:${port} 127.0.0.1`);
  await sound(tab, 'elsewhere');
}

async function denied(tab) {
  await tab.goto(`${origin}/console#key=guest`);
  await says(tab, 'Nothing is live yet.');
  await tab.goto(`${origin}/console#/recordings`);
  await says(tab, 'Your key has no permission for this');
  await says(tab, 'needs the scope read');
  await sound(tab, 'denied');
  await tab.goto(`${origin}/console#/callbacks`);
  await says(tab, 'This relay runs without callbacks.');
  // A refused change says why, and what was typed stays.
  await tab.goto(`${origin}/console#/settings`);
  const field = tab.locator('.field', { hasText: 'A lost publisher may come back' }).locator('input');
  await field.fill('30');
  check((await tab.innerText('.form-foot pre')).includes('{"reconnect_window_s":30}'), 'the patch is not shown');
  await tab.click('[data-action=save-policy]');
  await tab.locator('.toast.bad', { hasText: 'needs the scope admin' }).waitFor();
  equal(await field.inputValue(), '30');
  const patch = asked.find(({ method }) => method === 'PATCH');
  equal(patch?.path, '/v1/policy');
}

async function stale(tab) {
  await tab.goto(`${origin}/console#/live`);
  await says(tab, 'Nothing is live yet.');
  behaviour = 'down';
  await until(async () => /No answer for \d+ s, retrying/.test(await tab.innerText('main')), 'nothing says that there is no answer', 20_000);
  await says(tab, 'Nothing is live yet.'); // what was known stays
  await sound(tab, 'stale');
  behaviour = 'open';
  await until(async () => !(await tab.innerText('main')).includes('No answer'), 'the page does not come back');
}

async function hiddenTab(tab) {
  await tab.goto(`${origin}/console#/live`);
  await says(tab, 'Nothing is live yet.');
  await until(() => asked.some(({ path }) => path.startsWith('/v1/events/stream')), 'no stream of events');
  asked = [];
  await tab.waitForTimeout(3_200);
  const polls = asked.filter(({ path }) => path.startsWith('/v1/streams')).length;
  check(polls >= 2 && polls <= 4, `${polls} polls in 3.2 s`);
  equal(asked.filter(({ path }) => path.startsWith('/v1/events/stream')).length, 0, 'more streams of events');
  await tab.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => window.pretendHidden ?? false });
    window.pretendHidden = true;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await tab.waitForTimeout(500);
  asked = [];
  await tab.waitForTimeout(2_500);
  equal(asked.map(({ path }) => path), [], 'asked while hidden');
  await tab.evaluate(() => {
    window.pretendHidden = false;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await until(() => asked.some(({ path }) => path.startsWith('/v1/streams')) && asked.some(({ path }) => path.startsWith('/v1/events/stream')), 'it does not ask again');
}

async function chinese(tab) {
  await tab.goto(`${origin}/console#/live`);
  await says(tab, '还没有直播。');
  equal(await tab.evaluate(() => document.documentElement.lang), 'zh-CN');
  await tab.click('.rail-foot button:has-text("English")');
  await says(tab, 'Nothing is live yet.');
  await tab.reload();
  await says(tab, 'Nothing is live yet.');
}

async function says(tab, words) {
  await until(async () => (await tab.innerText('main').catch(() => '')).includes(words), async () => `says ${JSON.stringify((await tab.innerText('body')).slice(0, 600))}, not ${JSON.stringify(words)}`);
}

/** A fresh page for each case, and what must never happen in it. */
async function scene(name, how, options, act) {
  behaviour = how;
  asked = [];
  const started = performance.now();
  const { context, page: tab, clean } = await open(browser, origin, options);
  try {
    await act(tab);
    await clean();
    console.log(`ok ${name} ${((performance.now() - started) / 1000).toFixed(1)} s`);
  } catch (error) {
    if (folder !== undefined) await tab.screenshot({ path: `${folder}/${name.replaceAll(/\W+/g, '-')}.png` });
    throw new Error(`${name}: ${error.message}`);
  } finally {
    await context.close();
  }
}
