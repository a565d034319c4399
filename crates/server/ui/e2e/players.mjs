// Plays URLs in other people's players, in a page of another origin, and says what was really seen.
//
//   node players.mjs SECONDS URL ENGINE[,low-latency][,sounds] [URL ENGINE… …]
//   node players.mjs 4 http://127.0.0.1:8080/live/cam.m3u8 shaka,low-latency
//
// ENGINE is shaka (Shaka Player) or hls (the full build of hls.js); all play at once, a page each. Prints one JSON
// array on standard output, in the order of the arguments: errors the player told of, how far clock, frames and
// pixels moved during SECONDS, and what it asked for. With `sounds` it then chooses each sound in turn, and says by name which tone
// was loudest (Hz, to 10). Exits 1, after printing, when one did not play or told
// of an error. CHROMIUM names another browser binary, PLAYERS_TIMEOUT_S another limit for the first picture (30).
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { launch, tone } from './harness.mjs';

const require = createRequire(import.meta.url);
const SCRIPTS = { shaka: 'shaka-player/dist/shaka-player.compiled.js', hls: 'hls.js/dist/hls.min.js' };
const [secondsText, ...rest] = process.argv.slice(2);
const seconds = Number(secondsText);
const cases = [];
for (let at = 0; at < rest.length; at += 2) {
  const [engine, ...options] = rest[at + 1]?.split(',') ?? [];
  cases.push({ url: rest[at], engine, lowLatency: options.includes('low-latency'), sounds: options.includes('sounds') });
}
if (!(seconds > 0) || cases.length === 0 || cases.some(({ engine }) => SCRIPTS[engine] === undefined)) {
  console.error('usage: node players.mjs SECONDS URL shaka|hls[,low-latency][,sounds] …');
  process.exit(2);
}
const limitMs = Number(process.env.PLAYERS_TIMEOUT_S ?? 30) * 1000;

// The players' own origin: what they load is from another one, as on most sites.
const site = createServer((request, response) => {
  const engine = request.url.slice(1);
  const script = SCRIPTS[engine.replace(/\.js$/, '')];
  if (engine.endsWith('.js') && script !== undefined) {
    response.writeHead(200, { 'content-type': 'text/javascript' }).end(readFileSync(require.resolve(script)));
  } else if (script !== undefined) {
    response.writeHead(200, { 'content-type': 'text/html' })
      .end(`<!doctype html><title>${engine}</title><video muted autoplay playsinline width=320></video><script src="/${engine}.js"></script>`);
  } else {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${site.address().port}`;
const browser = await launch();
let results;
try {
  results = await Promise.all(cases.map(play));
} finally {
  await browser.close();
  site.close();
}
console.log(JSON.stringify(results));
if (results.some(({ failure }) => failure !== undefined)) process.exit(1);

async function play({ url, engine, lowLatency, sounds }) {
  const seen = { url, engine, lowLatency, asked: { playlists: 0, waits: 0, deltas: 0, parts: 0, segments: 0, keys: 0 }, answers: {} };
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    page.on('request', (request) => note(seen.asked, request));
    page.on('response', (response) => {
      if (!response.url().startsWith(origin)) seen.answers[response.status()] = (seen.answers[response.status()] ?? 0) + 1;
    });
    const errors = [];
    page.on('pageerror', (error) => errors.push(`page error: ${error.message}`));
    await page.goto(`${origin}/${engine}`);
    await page.evaluate(begin, { url, engine, lowLatency });
    const told = async () => {
      const wrong = [...errors, ...await page.evaluate(() => window.errors)];
      if (wrong.length > 0) throw new Error(wrong.join('; '));
    };
    // A machine that is busy may show little in one window; a player that does not play shows nothing in all.
    for (const end = Date.now() + limitMs; ;) {
      const moved = await watch(page);
      await told();
      Object.assign(seen, moved);
      if (moved.clock >= 0.6 * seconds && moved.frames >= 5 * seconds && moved.moves) break;
      if (Date.now() > end) throw new Error(`does not play after ${limitMs / 1000} s`);
    }
    if (sounds) {
      seen.sounds = [];
      // The first once more, for the way back.
      const names = await page.evaluate(() => window.sounds());
      for (const name of [...names, ...names.slice(0, 1)]) {
        await page.evaluate((name) => window.choose(name), name);
        seen.sounds.push([name, await tone(page, limitMs, seen.sounds.at(-1)?.[1])]);
        await told();
      }
    }
  } catch (error) {
    seen.failure = error instanceof Error ? error.message.split('\n')[0] : String(error);
  } finally {
    await context.close();
  }
  return seen;
}

function note(asked, request) {
  const url = new URL(request.url());
  if (url.origin === origin || request.method() === 'OPTIONS') return;
  if (url.pathname.endsWith('.m3u8')) {
    asked.playlists += 1;
    if (url.searchParams.has('_HLS_msn')) asked.waits += 1;
    if (url.searchParams.has('_HLS_skip')) asked.deltas += 1;
  } else if (/-\d+\.\d+\.m4s$/.test(url.pathname)) {
    asked.parts += 1;
  } else if (/-\d+\.(m4s|ts)$/.test(url.pathname)) {
    asked.segments += 1;
  } else if (/\/key-[^/]*\.bin$/.test(url.pathname)) {
    asked.keys += 1;
  }
}

/** What moves within SECONDS. */
async function watch(page) {
  const before = await look(page);
  // Halfway too, so that a test picture that repeats itself is not taken for a frozen one.
  await page.waitForTimeout(seconds * 500);
  const between = await look(page);
  await page.waitForTimeout(seconds * 500);
  const { pixels, currentTime, frames, dropped, ...after } = await look(page);
  return {
    clock: Number((currentTime - before.currentTime).toFixed(3)),
    frames: frames - before.frames,
    dropped: dropped - before.dropped,
    moves: before.pixels !== between.pixels || between.pixels !== pixels,
    ...after,
  };
}

/** In the page: the player as its makers' first example sets it up, and what it tells. */
async function begin({ url, engine, lowLatency }) {
  const video = document.querySelector('video');
  window.errors = [];
  window.stalls = 0;
  let isPlaying = false;
  video.addEventListener('playing', () => { isPlaying = true; });
  video.addEventListener('waiting', () => { if (isPlaying && !video.seeking) window.stalls += 1; });
  video.addEventListener('error', () => window.errors.push(`video: ${video.error?.code} ${video.error?.message}`));
  if (engine === 'shaka') {
    const { shaka } = window;
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    const describe = (error) => window.errors.push(error.code === undefined ? `shaka: ${error.stack}` : `shaka ${error.severity}/${error.category}/${error.code}: ${JSON.stringify(error.data)?.slice(0, 300)}`);
    player.addEventListener('error', (event) => describe(event.detail));
    player.configure({ streaming: { lowLatencyMode: lowLatency } });
    window.reading = () => ({ behind: player.getStats().liveLatency, keySystem: player.keySystem() });
    window.sounds = () => player.getAudioTracks().map(({ label }) => label);
    window.choose = (name) => player.selectAudioTrack(player.getAudioTracks().find(({ label }) => label === name));
    await player.attach(video);
    player.load(url).catch(describe);
  } else {
    const { Hls } = window;
    const hls = new Hls({ lowLatencyMode: lowLatency, emeEnabled: true });
    // What it waits for is a stall, and counted as one.
    const isStall = ({ details, fatal }) => !fatal && /^buffer(Stalled|Nudge|SeekOverHole)/.test(details);
    hls.on(Hls.Events.ERROR, (_event, data) => {
      // hls.js 1.7.4 says this of the first fragment of sound in MPEG-TS, and in its next line that it is buffered.
      const isFirst = data.details === 'bufferAppendNoProgress' && data.frag?.type === 'audio' && !data.fatal;
      // What a choice of another sound makes it leave off.
      const isLeftOff = data.details === 'aborted' && !data.fatal;
      if (!isStall(data) && !isFirst && !isLeftOff) window.errors.push(`hls.js ${data.fatal ? 'fatal ' : ''}${data.details}: ${data.error?.message}`);
    });
    window.reading = () => ({ behind: hls.playingDate === null ? undefined : (Date.now() - hls.playingDate.getTime()) / 1000 });
    window.sounds = () => hls.audioTracks.map(({ name }) => name);
    window.choose = (name) => { hls.audioTrack = hls.audioTracks.findIndex((track) => track.name === name); };
    hls.loadSource(url);
    hls.attachMedia(video);
  }
}

/** What is on screen at this moment; seen from outside, since scripts cannot read what was encrypted. */
async function look(page) {
  const pixels = createHash('sha256').update(await page.locator('video').screenshot()).digest('hex');
  return page.evaluate((pixels) => {
    const video = document.querySelector('video');
    const quality = video.getVideoPlaybackQuality();
    return {
      currentTime: video.currentTime, frames: quality.totalVideoFrames, dropped: quality.droppedVideoFrames, pixels,
      width: video.videoWidth, height: video.videoHeight, stalls: window.stalls, ...window.reading(),
    };
  }, pixels);
}
