// Watches a live stream in Debian's chromium and says what was really seen.
//
//   node watch.mjs BASE_URL APP/STREAM PROTO SECONDS [SCREENSHOT.png] [--audio-only] [--controls] [--sounds]
//   node watch.mjs http://127.0.0.1:8080 live/cam1 hls 4 cam1.png
//   node watch.mjs http://127.0.0.1:8080 'live/cam1?pwd=secret' hls 4
//
// PROTO is hls, ts or flv. Succeeds only when the page plays over that protocol, the video's clock, its decoded
// frames and its pixels all move during SECONDS, and the page asks nothing of any other origin, breaks no
// rule of its Content-Security-Policy and throws nothing. Prints one JSON object on standard output; otherwise
// exits 1 with one line on standard error (and the screenshot, if one was asked for).
// --audio-only: a stream without picture, so only its clock must move. --controls: also tries keys, buttons and
// the *Lower delay* switch (the stream must play over both HLS and HTTP-FLV), and runs axe over the playing page.
// --sounds: also chooses each sound by keyboard, and says which tone was heard then (Hz), also after a restart of the player.
// CHROMIUM names another browser binary, WATCH_TIMEOUT_S another limit for the first picture (30).
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { tone } from './harness.mjs';

const args = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const audioOnly = process.argv.includes('--audio-only');
const withControls = process.argv.includes('--controls');
const withSounds = process.argv.includes('--sounds');
const [base, address, proto, secondsText, screenshot] = args;
const [stream, query] = address?.split('?') ?? [];
const seconds = Number(secondsText);
const PROTOCOL_NAME = { hls: 'HLS (fMP4)', ts: 'HLS (MPEG-TS)', flv: 'HTTP-FLV' };
if (base === undefined || !stream?.includes('/') || PROTOCOL_NAME[proto] === undefined || !(seconds > 0)) {
  console.error('usage: node watch.mjs BASE_URL APP/STREAM hls|ts|flv SECONDS [SCREENSHOT.png] [--audio-only] [--controls] [--sounds]');
  process.exit(2);
}
const limitMs = Number(process.env.WATCH_TIMEOUT_S ?? 30) * 1000;
const origin = new URL(base).origin;
const offences = [];
let requests = 0;
/** Low latency HLS: playlists that are waited for, and parts of segments. */
const lowLatency = { waits: 0, parts: 0 };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--no-proxy-server',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--autoplay-policy=no-user-gesture-required',
  ],
});
let page;
let failure;
try {
  page = await browser.newPage({ viewport: { width: 1280, height: 900 }, locale: 'en-US', serviceWorkers: 'block' });
  page.on('request', (request) => {
    const url = request.url();
    requests += 1;
    if (url.includes('_HLS_msn=')) lowLatency.waits += 1;
    const isRange = request.headers().range !== undefined && /-\d+\.m4s$/.test(url);
    if (isRange || /-\d+\.\d+\.m4s$/.test(url)) lowLatency.parts += 1;
    if (/^(blob|data):/.test(url)) return;
    if (new URL(url).origin !== origin) offences.push(`request to another origin: ${url}`);
  });
  page.on('pageerror', (error) => offences.push(`page error: ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    if (/content security policy|refused to/i.test(text)) offences.push(`console: ${text}`);
  });
  await page.addInitScript(() => {
    window.seenViolations = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      window.seenViolations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ''}:${event.lineNumber}`);
    });
  });

  const path = stream.split('/').map(encodeURIComponent).join('/');
  const opened = Date.now();
  const response = await page.goto(`${base.replace(/\/$/, '')}/watch/${path}?proto=${proto}${query === undefined ? '' : `&${query}`}`, { waitUntil: 'domcontentloaded' });
  check(response?.status() === 200, `the watch page answers ${response?.status()}`);
  check((response.headers()['content-security-policy'] ?? '').includes("default-src 'none'"), 'the watch page has no Content-Security-Policy');

  let state;
  for (;;) {
    state = await page.evaluate(() => document.documentElement.dataset.state);
    if (state === 'playing' || state === 'unsupported') break;
    check(Date.now() - opened < limitMs, `not playing after ${limitMs / 1000} s: state ${state}: ${await words()}`);
    check(offences.length === 0, offences[0]);
    await page.waitForTimeout(50);
  }
  const playingAfterMs = Date.now() - opened;
  check(state === 'playing', `state ${state}: ${await words()}`);

  const before = await look();
  // Halfway too, so that a test picture that repeats itself is not taken for a frozen one.
  await page.waitForTimeout(seconds * 500);
  const between = await look();
  await page.waitForTimeout(seconds * 500);
  const after = await look();

  const advance = after.currentTime - before.currentTime;
  check(after.state === 'playing', `state became ${after.state}: ${await words()}`);
  check(advance > 0.3 * seconds, `the clock moved ${advance.toFixed(2)} s in ${seconds} s`);
  const frames = after.totalVideoFrames - before.totalVideoFrames;
  if (!audioOnly) {
    check(frames > seconds, `${frames} frames decoded in ${seconds} s`);
    check(before.pixels !== between.pixels || between.pixels !== after.pixels, 'the pixels did not change');
  }
  check(after.fields.protocol === PROTOCOL_NAME[proto], `asked for ${PROTOCOL_NAME[proto]}, plays over ${after.fields.protocol}: ${await words()}`);
  if (withControls) await tryControls();
  const sounds = withSounds ? await trySounds() : undefined;
  offences.push(...(await page.evaluate(() => window.seenViolations)).map((text) => `CSP violation: ${text}`));
  check(offences.length === 0, offences.join('; '));

  console.log(JSON.stringify({
    stream, proto, state: after.state, ...after.fields,
    totalVideoFrames: after.totalVideoFrames, droppedVideoFrames: after.droppedVideoFrames,
    framesAdvance: frames, currentTimeAdvance: Number(advance.toFixed(3)), playingAfterMs, requests, lowLatency,
    videoWidth: after.width, videoHeight: after.height, sounds,
  }));
} catch (error) {
  failure = error instanceof Error ? error.message.split('\n')[0] : String(error);
} finally {
  if (screenshot !== undefined) await page?.screenshot({ path: screenshot }).catch(() => {});
  await browser.close();
}
if (failure !== undefined) {
  console.error(`error: watch ${stream} over ${proto}: ${failure}`);
  process.exit(1);
}

function check(condition, reason) {
  if (!condition) throw new Error(reason);
}

/** What a viewer does: mute, pause, volume, panel, lower delay. Leaves the page playing. */
async function tryControls() {
  const video = (expression) => page.evaluate((name) => document.querySelector('video')[name], expression);
  check(await video('muted'), 'does not start muted');
  await page.click('.unmute');
  await until(async () => !await video('muted') && await page.locator('.unmute').count() === 0, 'Unmute does not unmute');
  await page.locator('#stage').focus();
  await page.keyboard.press('m');
  await until(() => video('muted'), 'm does not mute');
  await page.keyboard.press('ArrowUp');
  await until(async () => !await video('muted') && Math.abs(await video('volume') - 0.1) < 0.01, 'ArrowUp does not raise the volume');
  await page.keyboard.press('k');
  await until(() => video('paused'), 'k does not pause');
  await page.waitForTimeout(400);
  const stopped = await video('currentTime');
  await page.waitForTimeout(600);
  check(await video('currentTime') === stopped, 'the clock moves while paused');
  await page.keyboard.press(' ');
  await until(async () => await video('currentTime') > stopped, 'space does not play on');
  const panel = page.locator('.figures');
  check(await panel.isVisible(), 'the panel is not open');
  await page.keyboard.press('i');
  await until(() => panel.isHidden(), 'i does not close the panel');
  await page.keyboard.press('i');
  await page.keyboard.press('f');
  await until(() => page.evaluate(() => document.fullscreenElement?.id === 'stage'), 'f does not fill the screen');
  await page.keyboard.press('f');
  await until(() => page.evaluate(() => document.fullscreenElement === null), 'f does not leave full screen');

  const other = proto === 'flv' ? PROTOCOL_NAME.hls : PROTOCOL_NAME.flv;
  await page.click('.controls [role=switch]');
  await until(async () => (await look()).fields.protocol === other && (await look()).state === 'playing', `Lower delay does not lead to ${other}`);

  await checkAxe();
}

async function checkAxe() {
  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  const violations = await page.evaluate(async () => (await window.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
    .violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`));
  check(violations.length === 0, `axe: ${violations.join('; ')}`);
}

/** Name and tone of each sound, as a viewer chooses them by keyboard; the last one again after *Lower delay* was on and off. */
async function trySounds() {
  const choice = page.getByRole('combobox', { name: 'Sound' });
  await until(() => choice.isVisible(), 'there is no choice of sound');
  const chosen = () => choice.evaluate((select) => select.selectedOptions[0]?.textContent);
  const names = await choice.evaluate((select) => [...select.options].map((option) => option.textContent));
  const heard = [[await chosen(), await tone(page, limitMs)]];
  for (const name of names.slice(1)) {
    await choice.focus();
    await page.keyboard.press('ArrowDown');
    await until(async () => await chosen() === name, `ArrowDown does not choose ${name}`);
    heard.push([name, await tone(page, limitMs, heard.at(-1)[1])]);
  }
  const last = names.at(-1);
  await page.click('.controls [role=switch]');
  await until(async () => (await look()).fields.protocol === PROTOCOL_NAME.flv && !await choice.isVisible(), 'HTTP-FLV offers sounds');
  await page.click('.controls [role=switch]');
  await until(async () => await choice.isVisible() && await chosen() === last, `${last} is not chosen again`);
  heard.push([last, await tone(page, limitMs)]);
  await checkAxe();
  return heard;
}

async function until(done, otherwise) {
  for (const end = Date.now() + 15_000; !await done(); await page.waitForTimeout(50)) check(Date.now() < end, otherwise);
}

/** The page's own words about its state. */
function words() {
  return page.evaluate(() => [...document.querySelectorAll('.overlay, .notice p')].map((element) => element.innerText.replace(/\s+/g, ' ')).join(' | '));
}

/** What is on screen at this moment. */
function look() {
  return page.evaluate(() => {
    const video = document.querySelector('video');
    const quality = video.getVideoPlaybackQuality();
    const canvas = document.createElement('canvas');
    canvas.width = 160;
    canvas.height = 90;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    let hash = 2166136261; // FNV-1a over every sample
    for (const sample of context.getImageData(0, 0, canvas.width, canvas.height).data) hash = Math.imul(hash ^ sample, 16777619);
    return {
      state: document.documentElement.dataset.state,
      currentTime: video.currentTime,
      totalVideoFrames: quality.totalVideoFrames,
      droppedVideoFrames: quality.droppedVideoFrames,
      width: video.videoWidth,
      height: video.videoHeight,
      pixels: hash >>> 0,
      fields: Object.fromEntries([...document.querySelectorAll('[data-field]')].map((field) => [field.dataset.field, field.textContent])),
    };
  });
}
