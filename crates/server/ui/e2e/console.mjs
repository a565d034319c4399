// Drives the console against a running relay, as an operator would, and says what was really seen.
//
//   node console.mjs BASE_URL APP/STREAM [FOLDER_FOR_SCREENSHOTS]
//   node console.mjs http://127.0.0.1:8080 live/cam
//
// APP/STREAM is published by somebody else, with moving pictures. Callbacks come to a server of the test's own: the relay
// needs `[callbacks] allow_private = true`. It is in open mode. Fails on any request to another origin, broken rule of the
// Content-Security-Policy or thrown error; every screen passes axe in both themes, fits 360 and 1280 px, and has no word
// outside of the message files. Prints one JSON object.
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { PHONE, bareWords, check, equal, launch, open, picture, sound, until } from './harness.mjs';

const [base, stream, folder] = process.argv.slice(2);
if (stream === undefined) {
  console.error('usage: node console.mjs BASE_URL APP/STREAM [FOLDER_FOR_SCREENSHOTS]');
  process.exit(2);
}
const origin = new URL(base).origin;
const seen = {};
let step = 'start';

/** Callbacks that came. */
const received = [];
const receiver = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    response.end('taken');
  });
});
await new Promise((ready) => receiver.listen(0, '127.0.0.1', ready));
const callbackUrl = `http://127.0.0.1:${receiver.address().port}/hook`;

const SCREENS = ['live', `channel/${stream}`, 'rooms', 'recordings', 'targets', 'callbacks', 'usage', 'settings'];

const browser = await launch();
let failed;
try {
  const { page, clean, requests, context } = await open(browser, origin, { acceptDownloads: true });
  const at = async (name, hash, act) => {
    step = name;
    if (hash !== undefined) await page.goto(`${origin}/console${hash}`);
    await act(page);
    await clean();
  };
  await at('live', '#/live', live);
  await at('start a channel', '#/rooms', startChannel);
  await at('watch', undefined, watch);
  await at('record', undefined, record);
  await at('callbacks', '#/callbacks', callbacks);
  await at('forbid and resume', '#/live', moderate);
  step = 'screens';
  await everyScreen(page);
  await clean();
  equal(requests.filter((url) => !/^(blob|data):/.test(url) && !url.startsWith(origin)), []);
  await context.close();
  await phone();
  await pseudo();
  console.log(JSON.stringify(seen));
} catch (error) {
  failed = `${step}: ${error instanceof Error ? error.message : error}`;
  for (const context of browser.contexts()) for (const page of context.pages()) {
    if (folder !== undefined) await page.screenshot({ path: join(folder, 'failed.png') }).catch(() => {});
    failed += `\n${(await page.innerText('body').catch(() => '')).slice(0, 1_500)}`;
  }
} finally {
  await browser.close();
  receiver.closeAllConnections();
  receiver.close();
}
if (failed !== undefined) {
  console.error(`error: console: ${failed}`);
  process.exit(1);
}

async function shot(page, name) {
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) });
}

/** The stream is there, by itself, with figures that live. */
async function live(page) {
  const card = page.locator(`[data-stream="${stream}"]`);
  await card.waitFor();
  await until(async () => await card.getAttribute('data-row-state') === 'live', 'the card is not live');
  await until(async () => /\d (k|M)bit\/s/.test(await card.locator('.bitrate').innerText()), 'no bitrate');
  // The still is a picture of the stream, decoded here.
  const paths = Object.keys((await (await fetch(`${origin}/openapi.json`)).json()).paths);
  if (paths.some((path) => path.endsWith('/poster.mp4'))) await until(() => page.evaluate((name) => (document.querySelector(`[data-stream="${name}"] .still video`)?.videoWidth ?? 0) > 0, stream),
    () => page.evaluate(() => `no still: ${document.querySelector('.still')?.innerHTML}`));
  await shot(page, 'live');
  // Enter plays the card, muted, until it is left.
  const preview = card.locator('.preview-play');
  await preview.focus();
  await page.keyboard.press('Enter');
  await until(() => page.evaluate((name) => {
    const video = document.querySelector(`[data-stream="${name}"] .still video`);
    return video !== null && !video.paused && video.muted && video.currentTime > 0.3;
  }, stream), 'the preview does not play');
  await preview.blur();
  await until(() => page.evaluate((name) => document.querySelector(`[data-stream="${name}"] .still canvas`) === null, stream), 'the preview does not stop');
  await page.click('[aria-label="Table"]');
  await page.locator('table tr[data-stream]').first().waitFor();
  await page.click('[aria-label="Cards"]');
}

/** A channel before its source: the start dialog, whose request is shown as curl. */
async function startChannel(page) {
  await page.click('[data-action=start-channel]');
  await page.fill('[name=room]', '8001');
  await page.fill('[name=user]', 'anchor_7');
  await page.fill('[name=name]', 'Lesson');
  const curl = await page.innerText('[data-curl]');
  check(curl.includes(`${origin}/v1/rooms/8001/channels`) && curl.includes('"user_id":"anchor_7"'), curl);
  await page.click('dialog [type=submit]');
  await page.waitForSelector('[data-started]');
  const urls = await page.$$eval('[data-started] input', (inputs) => inputs.map(({ value }) => value));
  check(urls.some((url) => url.endsWith('.m3u8')), JSON.stringify(urls));
  await shot(page, 'start');
  await page.keyboard.press('Escape');
  await page.locator('[data-room="8001"]').waitFor();
  await page.goto(`${origin}/console#/live?state=waiting`);
  await page.locator('[data-row-state=pending]').filter({ hasText: 'Lesson' }).waitFor();
}

/** Beside the figures the stream plays: its clock and its pixels move. */
async function watch(page) {
  await page.goto(`${origin}/console#/live`);
  await page.click(`[data-stream="${stream}"] h2 a`);
  await page.waitForSelector('[data-player=playing]', { timeout: 30_000 });
  const before = await picture(page, '.player video');
  await page.waitForTimeout(1_200);
  const between = await picture(page, '.player video');
  await page.waitForTimeout(1_300);
  const after = await picture(page, '.player video');
  seen.currentTimeAdvance = after.currentTime - before.currentTime;
  check(seen.currentTimeAdvance > 0.8, `the clock moved ${seen.currentTimeAdvance} s in 2.5 s`);
  check(before.pixels !== between.pixels || between.pixels !== after.pixels, 'the pixels did not change');
  await until(async () => /\d/.test(await page.innerText('[data-field=fps]')), 'no frame rate');
  seen.health = Object.fromEntries(await page.$$eval('.channel [data-field]', (fields) => fields.map((field) => [field.dataset.field, field.textContent])));
  check(await page.locator(".plot canvas").count() >= 6, 'plots are missing');
  await shot(page, 'channel');
  for (const tab of ['urls', 'targets', 'events', 'publish']) {
    await page.click(`#tab-${tab}`);
    await page.waitForTimeout(250);
    await sound(page, tab);
  }
  check((await page.$$eval('.publish-help input', (inputs) => inputs.map(({ value }) => value)))[1] === stream.split('/')[1], 'no stream key to publish with');
}

/** Record, stop, the file is listed, plays, and comes down whole. */
async function record(page) {
  await page.click('#tab-recordings');
  await page.click('.record');
  await page.locator('[data-recording]').waitFor();
  await page.waitForTimeout(2_500);
  await page.click('[data-action=stop-recording]');
  const file = page.locator('[data-file]').first();
  await file.waitFor({ timeout: 30_000 });
  await file.locator('.play-button').click();
  await until(() => page.evaluate(() => (document.querySelector('.file-player video')?.currentTime ?? 0) >= 0 && document.querySelector('.file-player video')?.readyState >= 2), 'the file does not open');
  await page.evaluate(() => document.querySelector('.file-player video').play());
  await until(() => page.evaluate(() => document.querySelector('.file-player video').currentTime > 0.5), 'the file does not play');
  const sha256 = await page.inputValue('dialog .copy-field input');
  await page.keyboard.press('Escape');
  const [download] = await Promise.all([page.waitForEvent('download'), file.locator('[data-action=download]').click()]);
  const content = readFileSync(await download.path());
  equal(createHash('sha256').update(content).digest('hex'), sha256, 'sha256 of the download');
  seen.file = { name: download.suggestedFilename(), bytes: content.length, id: await file.getAttribute('data-file') };
}

/** An endpoint by the form, its deliveries, a replay that really arrives. */
async function callbacks(page) {
  await page.click('[data-action=new-endpoint]');
  await page.fill('[name=url]', callbackUrl);
  await page.click('dialog [type=submit]');
  await page.waitForSelector('[data-secret]');
  const secret = await page.inputValue('[data-secret] input');
  await page.keyboard.press('Escape');
  const endpoint = page.locator('[data-webhook]').filter({ hasText: callbackUrl });
  await endpoint.click();
  await page.click('[data-action=send-test]');
  await until(() => received.length >= 1, 'the test did not arrive');
  await page.locator('.toast').filter({ hasText: '200' }).waitFor();
  for (const { headers, body } of received) {
    const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
    const wanted = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64');
    equal(headers['webhook-signature'], `v1,${wanted}`, 'signature by the secret that was shown');
  }
  const before = received.length;
  await page.click('[data-action=replay]');
  await page.click('dialog [type=submit]');
  await until(() => received.slice(before).some(({ body }) => JSON.parse(body).type === 'recording.file.completed'), 'the replay did not arrive');
  const delivery = page.locator('[data-delivery]').filter({ hasText: 'Delivered' }).first();
  await delivery.locator('summary').click();
  await delivery.locator('[data-attempt]').first().waitFor();
  check((await delivery.locator('pre').first().innerText()).includes('taken'), 'the answer of an attempt is not shown');
  const shown = JSON.parse(await delivery.locator('[data-event-body]').innerText());
  check(received.some(({ body }) => JSON.parse(body).id === shown.id), 'the event that is shown was not sent');
  seen.callbacks = received.length;
  await shot(page, 'callbacks');
}

/** A ban from the card's menu, and back from its toast. */
async function moderate(page) {
  const card = page.locator(`[data-stream="${stream}"]`);
  await card.waitFor();
  await card.locator('[popovertarget]').click();
  await page.locator('.menu:popover-open button', { hasText: 'Forbid' }).click();
  await page.fill('dialog input[type=text]', 'test');
  await page.click('dialog [type=submit]');
  await until(async () => await card.getAttribute('data-row-state') === 'forbidden', 'the card is not forbidden');
  await page.locator('.toast .button').click();
  await until(async () => await card.count() === 0 || await card.getAttribute('data-row-state') !== 'forbidden', 'the ban did not end');
}

async function everyScreen(page) {
  for (const screen of SCREENS) {
    step = `screen ${screen}`;
    await page.goto(`${origin}/console#/${screen}`);
    await page.waitForSelector('h1');
    await page.waitForTimeout(400);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(100);
      await sound(page, `${screen}, ${colorScheme}`, colorScheme === 'dark');
      if (folder !== undefined) await shot(page, `${screen.split('/')[0]}-${colorScheme}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

async function phone() {
  const { page, clean, context } = await open(browser, origin, PHONE);
  for (const screen of SCREENS) {
    step = `phone, ${screen}`;
    await page.goto(`${origin}/console#/${screen}`);
    await page.waitForSelector('h1');
    await page.waitForTimeout(400);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(wider <= 0, `${wider} px of sideways scroll`);
    await shot(page, `phone-${screen.split('/')[0]}`);
  }
  await page.click('.bottom-bar > button');
  await page.locator('#more a', { hasText: 'Usage' }).click();
  await page.waitForSelector('[data-screen=usage]');
  await clean();
  await context.close();
}

async function pseudo() {
  const { page, clean, context } = await open(browser, origin);
  for (const screen of SCREENS) {
    step = `messages of ${screen}`;
    await page.goto(`${origin}/console?lang=en-x-pseudo#/${screen}`);
    await page.waitForSelector('h1');
    await page.waitForTimeout(400);
    equal(await bareWords(page), [], 'words outside of the message files');
  }
  await clean();
  await context.close();
}
