// Drives the built page through the states that need no media, against a server of its own (no relay needed):
//
//   node states.mjs [FOLDER_FOR_SCREENSHOTS]
//
// Holds: each state appears and says the right words; polling is polite and stops in a hidden tab; retry counts
// down; both languages and both themes pass axe; a 360 px phone has no sideways scroll; nothing leaves the
// origin, breaks the Content-Security-Policy or throws. Prints one line per case, exits 1 on the first failure.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const folder = process.argv[2];
const ui = new URL('..', import.meta.url);
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; media-src 'self' blob:; "
  + "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** What the server does with media requests, by stream; and when they came. */
const streams = new Map();
const seen = [];
const TYPES = { js: 'text/javascript', css: 'text/css', html: 'text/html; charset=utf-8' };

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  const send = (path, headers = {}) => {
    const type = TYPES[pathname.split('.').pop()] ?? TYPES.html;
    response.writeHead(200, { 'content-type': type, 'content-security-policy': CSP, 'x-content-type-options': 'nosniff', ...headers });
    response.end(readFileSync(new URL(path, ui)));
  };
  if (pathname.startsWith('/watch/')) return send('dist/watch.html');
  if (/^\/assets\/vendor\/[\w.]+\.js$/.test(pathname)) return send(`vendor/${pathname.slice(15)}.gz`, { 'content-encoding': 'gzip' });
  if (/^\/assets\/\w+\.(js|css)$/.test(pathname)) return send(`dist/${pathname.slice(8)}`);
  if (pathname === '/embed') {
    response.writeHead(200, { 'content-type': TYPES.html });
    return response.end('<iframe src="/watch/live/gone?controls=0" width="320" height="180"></iframe>');
  }
  const [, name, extension] = /^\/live\/(\w+)(\.[\w.]+)$/.exec(pathname) ?? [];
  if (name === undefined) return response.writeHead(404).end();
  seen.push({ name, extension, at: performance.now() });
  const behaviour = streams.get(name) ?? 'missing';
  if (behaviour === 'down') return request.socket.destroy();
  if (behaviour === 'forbidden') return response.writeHead(403).end('wrong key');
  if (behaviour === 'unplayable') {
    if (extension === '.flv') return response.writeHead(415, { 'content-type': 'text/plain' }).end('no FLV for this codec\n');
    response.writeHead(200, { 'content-type': 'application/vnd.apple.mpegurl' });
    return response.end('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS="dvh1.05.06,ac-3"\nmedia.m3u8\n');
  }
  response.writeHead(404, { 'content-type': 'text/plain' });
  return response.end(`no stream live/${name}; publish it to rtmp://relay.example:1945/live/${name}\n`);
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const origin = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--no-proxy-server',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--autoplay-policy=no-user-gesture-required',
  ],
});

const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
let failed = false;
try {
  for (const colorScheme of ['light', 'dark']) {
    await scene(`waiting, ${colorScheme}`, '/watch/live/gone', { colorScheme }, waiting);
    await scene(`waiting, phone, ${colorScheme}`, '/watch/live/gone?lang=zh-CN', { colorScheme, ...PHONE }, waitingOnPhone);
    await scene(`unsupported, ${colorScheme}`, '/watch/live/odd', { colorScheme }, unsupported);
    await scene(`error, ${colorScheme}`, '/watch/live/broken', { colorScheme }, errorAndRetry);
    await scene(`no stream named, ${colorScheme}`, '/watch/live', { colorScheme }, noStream);
  }
  await scene('forbidden', '/watch/live/closed', {}, forbidden);
  await scene('hidden tab', '/watch/live/hidden', {}, hiddenTab);
  await scene('lower delay asks for FLV', '/watch/live/gone?proto=flv', {}, lowerDelay);
  await scene('embedded', '/embed', {}, embedded);
  await scene('still pictures for those who ask', '/watch/live/gone', { reducedMotion: 'reduce' }, reducedMotion);
} catch (error) {
  failed = true;
  console.error(`error: ${error.message}`);
} finally {
  await browser.close();
  server.close();
  server.closeAllConnections();
}
process.exit(failed ? 1 : 0);

async function waiting(page) {
  await state(page, 'waiting');
  await says(page, 'live/gone starts here by itself');
  // The server's 404 names the RTMP listener, port and all.
  const fields = await page.$$eval('.publish input', (inputs) => inputs.map((input) => input.value));
  equal(fields, ['rtmp://relay.example:1945/live', 'gone', 'ffmpeg -re -i FILE -c copy -f flv rtmp://relay.example:1945/live/gone']);
  equal(await page.title(), 'live/gone');
  equal(await page.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => name.includes('/vendor/')).length), 0);
  seen.length = 0;
  await page.waitForTimeout(4_600);
  const polls = seen.filter(({ name }) => name === 'gone').map(({ at }) => at);
  check(polls.length >= 2 && polls.length <= 3, `${polls.length} polls in 4.6 s`);
}

async function waitingOnPhone(page) {
  await state(page, 'waiting');
  await says(page, '尚未开播');
  equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN');
  const small = await page.$$eval('button, summary, .switch, .copy-field input', (elements) => elements
    .map((element) => ({ name: element.outerHTML.slice(0, 60), height: element.getBoundingClientRect().height }))
    .filter(({ height }) => height > 0 && height < 44));
  equal(small, []);
}

async function unsupported(page) {
  streams.set('odd', 'unplayable');
  await state(page, 'unsupported');
  await says(page, 'AC-3');
  seen.length = 0;
  await page.waitForTimeout(2_500);
  equal(seen.filter(({ name }) => name === 'odd').length, 0);
}

async function errorAndRetry(page) {
  streams.set('broken', 'down');
  await page.reload();
  await state(page, 'error');
  await says(page, 'The server does not answer.');
  await page.waitForSelector('[data-countdown="2"], [data-countdown="1"]');
  streams.set('broken', 'missing');
  await page.click('.retry button');
  await state(page, 'waiting');
}

async function forbidden(page) {
  streams.set('closed', 'forbidden');
  await page.reload();
  await state(page, 'error');
  await says(page, 'does not let this page watch live/closed');
}

async function noStream(page) {
  await state(page, 'error');
  check((await page.innerText('main')).includes('/watch/live/cam1'), 'no advice');
}

async function hiddenTab(page) {
  await state(page, 'waiting');
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => window.pretendHidden ?? false });
    window.pretendHidden = true;
  });
  await page.waitForTimeout(2_500); // the question already on its way
  seen.length = 0;
  await page.waitForTimeout(4_500);
  equal(seen.filter(({ name }) => name === 'hidden').length, 0);
  await page.evaluate(() => {
    window.pretendHidden = false;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await page.waitForTimeout(500);
  equal(seen.filter(({ name }) => name === 'hidden').length, 1);
}

async function lowerDelay(page) {
  await state(page, 'waiting');
  const asked = seen.filter(({ name }) => name === 'gone');
  equal(asked[asked.length - 1]?.extension, '.flv');
}

async function embedded(page) {
  const frame = page.frames()[1];
  await frame.waitForSelector('.overlay-waiting');
  equal(await frame.$$eval('header, .publish, .controls, details', (elements) => elements.filter((element) => element.checkVisibility()).length), 0);
  equal(await frame.evaluate(() => document.documentElement.scrollHeight <= innerHeight), true);
}

async function reducedMotion(page) {
  await state(page, 'waiting');
  equal(await page.evaluate(() => document.getAnimations().length), 0);
}

/** Opens `path` in a fresh page, runs `act`, then looks for what must never happen. */
async function scene(name, path, options, act) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-US', serviceWorkers: 'block', ...options });
  const page = await context.newPage();
  const offences = [];
  page.on('request', (request) => {
    const url = request.url();
    if (!/^(blob|data):/.test(url) && new URL(url).origin !== origin) offences.push(`request to ${url}`);
  });
  page.on('pageerror', (error) => offences.push(`page error: ${error.message}`));
  await page.addInitScript(() => {
    window.seenViolations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.seenViolations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  try {
    await page.goto(origin + path);
    await act(page);
    for (const frame of page.frames()) offences.push(...await frame.evaluate(() => window.seenViolations));
    equal(offences, []);
    equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth <= 0), true, 'sideways scroll');
    if (path !== '/embed') {
      await page.evaluate(axeSource);
      const { violations } = await page.evaluate(() => window.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
      equal(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`), []);
    }
    console.log(`ok ${name}`);
  } catch (error) {
    throw new Error(`${name}: ${error.message}`);
  } finally {
    if (folder !== undefined) await page.screenshot({ path: `${folder}/${name.replaceAll(/\W+/g, '-')}.png` });
    await context.close();
  }
}

async function state(page, wanted) {
  const limit = Date.now() + 15_000;
  let now;
  while ((now = await page.evaluate(() => document.documentElement.dataset.state)) !== wanted) {
    check(Date.now() < limit, `state is ${now}, not ${wanted}`);
    await page.waitForTimeout(50);
  }
}

async function says(page, words) {
  const text = await page.innerText('.overlay');
  check(text.includes(words), `says ${JSON.stringify(text)}, not ${JSON.stringify(words)}`);
}

function equal(found, wanted, what = 'found') {
  check(JSON.stringify(found) === JSON.stringify(wanted), `${what} ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}

function check(condition, reason) {
  if (!condition) throw new Error(reason);
}
