// What the console's browser tests share: a browser, pages that note what must never happen, axe, bounded waits.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--no-proxy-server',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', '--force-color-profile=srgb',
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
}

/** A page of its own; `offences` fills with requests to elsewhere, errors and broken rules of the policy. */
export async function open(browser, origin, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en-US', colorScheme: 'light', serviceWorkers: 'block', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const offences = [];
  const requests = [];
  page.on('request', (request) => {
    const url = request.url();
    requests.push(url);
    if (!/^(blob|data):/.test(url) && new URL(url).origin !== origin) offences.push(`request to ${url}`);
  });
  page.on('pageerror', (error) => offences.push(`page error: ${error.message} ${error.stack ?? ""}`.slice(0, 300)));
  page.on('console', (message) => {
    if (/content security policy|refused to/i.test(message.text())) offences.push(`console: ${message.text()}`);
  });
  await page.addInitScript(() => {
    window.seenViolations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.seenViolations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ''}:${event.lineNumber}`));
  });
  const clean = async () => {
    offences.push(...await page.evaluate(() => window.seenViolations.map((text) => `CSP violation: ${text}`)));
    equal(offences, [], 'offences');
  };
  return { context, page, requests, clean };
}

/** axe finds nothing, and nothing is wider than the window; in the other theme only colours can differ. */
export async function sound(page, what, coloursOnly = false) {
  if (!await page.evaluate(() => window.axe !== undefined)) await page.evaluate(axeSource);
  const runOnly = coloursOnly ? ['color-contrast', 'link-in-text-block'] : ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const violations = await page.evaluate(async (rules) => (await window.axe.run({ runOnly: rules }))
    .violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target.join(' ')} (${failureSummary?.split('\n')[1]?.trim() ?? ''})`).join(', ')}`), runOnly);
  equal(violations, [], `${what}: axe`);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(wider <= 0, `${what}: ${wider} px of sideways scroll`);
}

/** Words that come from no message file: with the pseudo language, whatever is outside of its brackets and not data. */
export async function bareWords(page) {
  return page.evaluate(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    const PROPER = /^(HLS|HTTP|RTMP|OpenAPI|SHA-256|ssh|\/readyz)$/;
    // A message may be a value of another one.
    const bare = (text) => {
      for (let rest = text; ; ) {
        const next = rest.replace(/⟦[^⟦⟧]*⟧/g, '');
        if (next === rest) return PROPER.test(rest.trim()) ? '' : rest.trim();
        rest = next;
      }
    };
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const { parentElement } = node;
      if (parentElement === null || !parentElement.checkVisibility() || parentElement.closest('[translate=no], script, noscript, .brand, [lang]:not(html), kbd, svg') !== null) continue;
      const rest = bare(node.data);
      if (/[\p{L}]{2}/u.test(rest)) found.push(rest);
    }
    for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]')) {
      if (!element.checkVisibility() || element.closest('[translate=no]') !== null) continue;
      for (const name of ['aria-label', 'placeholder']) {
        const rest = bare(element.getAttribute(name) ?? '');
        if (/[\p{L}]{2}/u.test(rest) && element.localName !== 'video' && !/^\w+:\/\//.test(rest)) found.push(`${name}: ${rest}`);
      }
    }
    return found;
  });
}

export async function until(done, otherwise, limitMs = 20_000) {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await done();
    if (found) return found;
    if (Date.now() > end) throw new Error(typeof otherwise === 'function' ? await otherwise() : otherwise);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function equal(found, wanted, what = 'found') {
  check(JSON.stringify(found) === JSON.stringify(wanted), `${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}

export function check(condition, reason) {
  if (!condition) throw new Error(reason);
}

/** A number of the picture that is on screen. */
export function picture(page, selector) {
  return page.evaluate((query) => {
    const video = document.querySelector(query);
    const canvas = document.createElement('canvas');
    canvas.width = 160;
    canvas.height = 90;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    let hash = 2166136261; // FNV-1a over every sample
    for (const sample of context.getImageData(0, 0, canvas.width, canvas.height).data) hash = Math.imul(hash ^ sample, 16777619);
    return { currentTime: video.currentTime, pixels: hash >>> 0 };
  }, selector);
}

/**
 * The tone that the page's video plays, in Hz to the nearest 10: loud, half a second without a change, and another one than
 * `before`, since what was buffered plays on for a while.
 */
export async function tone(page, limitMs, before) {
  await page.evaluate(() => {
    if (window.ears !== undefined) return;
    const video = document.querySelector('video');
    video.muted = false;
    video.volume = 1;
    const context = new AudioContext();
    const ears = context.createAnalyser();
    ears.fftSize = 8192;
    context.createMediaElementSource(video).connect(ears);
    // A source that leads nowhere is not pulled.
    ears.connect(context.destination);
    window.ears = ears;
  });
  let heard = [];
  for (const end = Date.now() + limitMs; Date.now() < end; await page.waitForTimeout(100)) {
    heard.push(await page.evaluate(() => {
      const levels = new Float32Array(window.ears.frequencyBinCount);
      window.ears.getFloatFrequencyData(levels);
      const loudest = levels.reduce((best, level, bin) => (level > levels[best] ? bin : best), 0);
      if (!(levels[loudest] > -60)) return undefined;
      return Math.round(loudest * window.ears.context.sampleRate / window.ears.fftSize / 10) * 10;
    }));
    heard = heard.slice(-6);
    if (heard.length === 6 && heard.every((hz) => hz !== undefined && hz !== before && hz === heard[0])) return heard[0];
  }
  throw new Error(`no steady tone: ${heard.join(', ')}`);
}
