// Plays a ladder with hls.js in Debian's chromium and changes between its levels.
//
//   node levels.mjs http://127.0.0.1:8080/live/cam.m3u8
//
// Succeeds only when the clock moves on after each change, and no fatal error comes. Prints one JSON object:
// the levels' heights, the levels changed to, and the holes in what was buffered.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';

const [url] = process.argv.slice(2);
const player = gunzipSync(readFileSync(new URL('../vendor/hls.light.min.js.gz', import.meta.url))).toString();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--no-proxy-server',
    '--disable-background-networking', '--autoplay-policy=no-user-gesture-required',
  ],
});
try {
  // On the server's own origin, without the policy of its pages.
  const page = await browser.newPage({ bypassCSP: true });
  await page.goto(new URL('/healthz', url).href);
  await page.setContent('<video muted></video>');
  await page.evaluate(player);
  const seen = await page.evaluate(async (address) => {
    const { Hls } = globalThis;
    const video = document.querySelector('video');
    const hls = new Hls({ lowLatencyMode: true, enableWorker: false, startLevel: 0 });
    const switched = [];
    let fatal;
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, data) => switched.push(data.level));
    hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) fatal = `${data.type} ${data.details}`; });
    const until = async (what, met) => {
      for (const end = Date.now() + 25_000; ; ) {
        if (fatal !== undefined) throw new Error(fatal);
        if (met()) return;
        if (Date.now() > end) throw new Error(`no ${what} at ${video.currentTime}`);
        await new Promise((done) => setTimeout(done, 50));
      }
    };
    hls.loadSource(address);
    hls.attachMedia(video);
    await until('levels', () => hls.levels.length > 0);
    video.play();
    await until('picture', () => video.currentTime > 0 && video.readyState >= 3);
    let holes = 0;
    for (const level of [1, 0, 1]) {
      hls.nextLevel = level;
      await until(`level ${level}`, () => switched.at(-1) === level);
      const height = hls.levels[level].height;
      const at = video.currentTime;
      await until(`two seconds of level ${level}`, () => video.currentTime > at + 2 && video.videoHeight === height);
      holes += Math.max(0, video.buffered.length - 1);
    }
    return { heights: hls.levels.map((level) => level.height), switched, holes, at: video.currentTime };
  }, url);
  console.log(JSON.stringify(seen));
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
} finally {
  await browser.close();
}
