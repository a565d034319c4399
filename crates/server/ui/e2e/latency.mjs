// Measures from glass to glass: how old pictures are when Debian's chromium shows them on the watch page.
//
//   node latency.mjs BASE_URL APP/STREAM SECONDS [PID]
//
// Each picture must carry the wall clock of its making, in ms, as 20 bits in its uppermost rows (a twentieth of the
// width each, the lowest bit to the left, white is 1), made on this machine: crates/e2e/src/glass.rs publishes such a stream. Settles for 3 s
// after the first picture, then prints one JSON object: latency of pictures by when they are shown, stalls (the player
// ran dry), the longest time between two pictures, frames decoded and dropped. PID is the publisher:
// it is stopped for 6 s, as when its network is away. `last` is the latency of the last second. CHROMIUM names another browser binary.
import { launch } from './harness.mjs';

const [base, stream, secondsText, publisher] = process.argv.slice(2);
const seconds = Number(secondsText);
if (base === undefined || !stream?.includes('/') || !(seconds > 0)) {
  console.error('usage: node latency.mjs BASE_URL APP/STREAM SECONDS [PID]');
  process.exit(2);
}
const FIRST_PICTURE_MS = 60_000;
const SETTLE_MS = 3_000;
const STOPPED_MS = 6_000;

const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, locale: 'en-US' });
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`${base.replace(/\/$/, '')}/watch/${stream}?proto=hls`);
  await page.waitForFunction(() => document.documentElement.dataset.state === 'playing', null, { timeout: FIRST_PICTURE_MS });
  await page.waitForTimeout(SETTLE_MS);
  await page.evaluate(observe);
  const end = Date.now() + seconds * 1000;
  if (publisher !== undefined) {
    process.kill(Number(publisher), 'SIGSTOP');
    await page.waitForTimeout(STOPPED_MS);
    process.kill(Number(publisher), 'SIGCONT');
  }
  await page.waitForTimeout(Math.max(0, end - Date.now()));
  const { latencies, ...seen } = await page.evaluate(() => window.observed());
  if (errors.length > 0) throw new Error(errors.join('; '));
  if (latencies.length === 0) throw new Error(`no picture was shown in ${seconds} s`);
  const last = Math.round(latencies.slice(-25).sort((a, b) => a - b)[12] ?? latencies.at(-1));
  latencies.sort((a, b) => a - b);
  const at = (share) => Math.round(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))]);
  console.log(JSON.stringify({
    seconds, ...seen, pictures: latencies.length, latencyMs: { least: at(0), p50: at(0.5), p90: at(0.9), p99: at(0.99), most: at(1), last },
  }));
} finally {
  await browser.close();
}

/** In the page: notes each picture that is shown, from now on. */
function observe() {
  const BITS = 20;
  const LONG_GAP_MS = 250;
  const video = document.querySelector('video');
  const canvas = document.createElement('canvas');
  canvas.width = BITS;
  canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const latencies = [];
  // What went wrong, with the seconds since the beginning; 20 of each tell enough.
  const states = [];
  const gaps = [];
  const start = performance.now();
  const tell = (list, what) => { if (list.length < 20) list.push([Math.round((performance.now() - start) / 100) / 10, what]); };
  let stalls = 0;
  let longestGapMs = 0;
  let last;
  const began = video.getVideoPlaybackQuality();
  video.addEventListener('waiting', () => { if (!video.seeking) stalls += 1; });
  new MutationObserver(() => tell(states, document.documentElement.dataset.state))
    .observe(document.documentElement, { attributeFilter: ['data-state'] });
  const onPicture = (_now, { expectedDisplayTime, width }) => {
    const gapMs = expectedDisplayTime - (last ?? expectedDisplayTime);
    longestGapMs = Math.max(longestGapMs, gapMs);
    if (gapMs > LONG_GAP_MS) tell(gaps, Math.round(gapMs));
    last = expectedDisplayTime;
    // A line through the middle of the boxes, which are a twentieth of the width high.
    context.drawImage(video, 0, 0, width, width / BITS, 0, 0, BITS, 1);
    const { data } = context.getImageData(0, 0, BITS, 1);
    let made = 0;
    for (let bit = 0; bit < BITS; bit += 1) if (data[bit * 4] > 127) made += 2 ** bit;
    const shown = Math.round(performance.timeOrigin + expectedDisplayTime) % 2 ** BITS;
    latencies.push((shown - made + 2 ** BITS) % 2 ** BITS);
    video.requestVideoFrameCallback(onPicture);
  };
  video.requestVideoFrameCallback(onPicture);
  window.observed = () => {
    const now = video.getVideoPlaybackQuality();
    return {
      latencies, stalls, states, gaps, longestGapMs: Math.round(longestGapMs),
      frames: now.totalVideoFrames - began.totalVideoFrames, dropped: now.droppedVideoFrames - began.droppedVideoFrames,
    };
  };
}
