// Plays a whole HLS playlist with the full hls.js in Debian's chromium and says which timed metadata came.
//
//   node timed.mjs PLAYLIST_URL COUNT
//
// Waits for COUNT pieces (30 s at most) and prints one JSON array on standard output, in the order of their times:
// {type, text, name, ms} — the scheme, the value and the description of the ID3 frame, and the wall time of the
// piece by the EXT-X-PROGRAM-DATE-TIME of the fragment that it came with. With --ranges: what the hls.js reads of
// EXT-X-DATERANGE instead, {id, class, startMs, duration, attributes, cues}, with the names of the cues that it
// makes of each for the page.
import { createRequire } from 'node:module';
import { launch } from './harness.mjs';

const [url, count] = process.argv.slice(2);
const library = createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js');
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.addScriptTag({ path: library });
  const found = await page.evaluate(async ({ url, count, ranges }) => {
    const { Hls } = window;
    const hls = new Hls({ startPosition: 0, lowLatencyMode: false, enableID3MetadataCues: false });
    const video = document.createElement('video');
    video.muted = true;
    document.body.append(video);
    const pieces = new Map();
    const done = new Promise((resolve, reject) => {
      const late = () => reject(new Error(`${pieces.size} of ${count} after 30 s: ${JSON.stringify([...pieces.values()])}`));
      const timer = setTimeout(late, 30_000);
      const add = (key, piece) => {
        pieces.set(key, piece);
        if (pieces.size < count) return;
        clearTimeout(timer);
        resolve([...pieces.values()]);
      };
      hls.on(Hls.Events.ERROR, (_, { fatal, details }) => fatal && reject(new Error(details)));
      if (ranges) {
        // What it adds: Chromium empties the track when the empty file that hls.js gives it is loaded.
        const added = [];
        const { addCue } = TextTrack.prototype;
        TextTrack.prototype.addCue = function (cue) {
          added.push(cue);
          addCue.call(this, cue);
        };
        hls.on(Hls.Events.LEVEL_UPDATED, async (_, { details }) => {
          // The cues are made by who is told of this, too.
          await Promise.resolve();
          for (const range of Object.values(details.dateRanges)) {
            const { id, startDate, duration, attr } = range;
            const cues = added.filter((cue) => cue.id === id).map((cue) => cue.value.key);
            if (cues.length === 0) continue;
            const attributes = { ...attr };
            add(id, { id, class: range.class, startMs: startDate.getTime(), duration, attributes, cues });
          }
        });
        return;
      }
      hls.on(Hls.Events.FRAG_PARSING_METADATA, (_, { frag, samples }) => {
        for (const { data, pts, type } of samples) {
          const text = new TextDecoder().decode(data);
          // Both headers and the encoding come first.
          const [name, value] = text.slice(21).split('\0');
          const ms = frag.programDateTime + (pts - frag.start) * 1000;
          add(`${name} ${value}`, { type, name, text: value, ms });
        }
      });
    });
    hls.attachMedia(video);
    hls.loadSource(url);
    video.play().catch(() => {});
    return done;
  }, { url, count: Number(count), ranges: process.argv.includes('--ranges') });
  console.log(JSON.stringify(found.sort((a, b) => (a.ms ?? a.startMs) - (b.ms ?? b.startMs))));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await browser.close();
}
