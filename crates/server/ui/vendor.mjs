// Copies the players from their npm packages into vendor/, gzipped, with their licences.
//
//   node vendor.mjs           writes vendor/ from node_modules (after `npm ci`)
//   node vendor.mjs --check   fails when vendor/ is not what the packages hold
//
// To take a new version: change it in package.json, `npm install`, `node vendor.mjs`.
// A .gz is rewritten only when its content changed, because zlib versions compress differently.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gunzipSync, gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, 'vendor');
const check = process.argv.includes('--check');

/** What is served, by package; `licence` files lie beside it. */
const PACKAGES = [
  { name: 'hls.js', files: ['dist/hls.light.min.js', 'dist/hls.min.js', 'dist/hls.worker.js'], licence: 'LICENSE' },
  { name: 'mpegts.js', files: ['dist/mpegts.js'], licence: 'LICENSE', notes: 'dist/mpegts.js.LICENSE.txt' },
  // Part of the pages' own scripts, so only the licence is copied.
  { name: 'preact', files: [], licence: 'LICENSE', inside: 'watch.js, console.js' },
  { name: '@preact/signals', files: [], licence: 'LICENSE', inside: 'watch.js, console.js' },
  { name: 'uplot', files: [], licence: 'LICENSE', inside: 'console.js' },
];

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** gzip without time stamp, name or operating system, so that only content decides. */
function gzip(bytes) {
  const packed = gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION });
  packed.fill(0, 4, 8);
  packed[9] = 255;
  return packed;
}

const wanted = new Map();
const rows = [];
for (const { name, files, licence, notes, inside } of PACKAGES) {
  const root = join(here, 'node_modules', name);
  const meta = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const label = name.replace('@', '').replace('/', '-');
  wanted.set(`LICENSE.${label}`, readFileSync(join(root, licence)));
  if (notes) wanted.set(`NOTICE.${label}`, readFileSync(join(root, notes)));
  if (files.length === 0) rows.push([name, meta.version, meta.license, `(inside ${inside})`, '', '']);
  for (const file of files) {
    const bytes = readFileSync(join(root, file));
    const base = file.split('/').pop();
    wanted.set(`${base}.gz`, bytes);
    rows.push([name, meta.version, meta.license, base, String(bytes.length), sha256(bytes)]);
  }
}
const table = [
  ['package', 'version', 'licence', 'file', 'bytes', 'sha256'],
  ['---', '---', '---', '---', '---', '---'],
  ...rows,
].map((cells) => `| ${cells.join(' | ')} |`);
wanted.set('VERSIONS.md', Buffer.from(
  '# Players in this folder\n\n'
  + 'Written by `node vendor.mjs` from the npm packages; do not edit. Each file is stored as `FILE.gz`;\n'
  + 'bytes and sha256 are of the file before compression, as its package ships it.\n\n'
  + `${table.join('\n')}\n`,
));

const read = (file) => {
  const path = join(out, file);
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  return file.endsWith('.gz') ? gunzipSync(bytes) : bytes;
};

mkdirSync(out, { recursive: true });
const stale = [...wanted].filter(([file, bytes]) => !read(file)?.equals(bytes)).map(([file]) => file);
const extra = readdirSync(out).filter((file) => !wanted.has(file));

if (check) {
  if (stale.length + extra.length > 0) {
    console.error(`error: vendor/: not what package.json names: ${[...stale, ...extra].join(', ')}; run node vendor.mjs`);
    process.exit(1);
  }
  console.log(`vendor/ holds ${wanted.size} files as package.json names them`);
} else {
  for (const file of stale) {
    writeFileSync(join(out, file), file.endsWith('.gz') ? gzip(wanted.get(file)) : wanted.get(file));
  }
  for (const file of extra) rmSync(join(out, file));
  console.log(`vendor/: ${stale.length} written, ${extra.length} removed, ${wanted.size - stale.length} unchanged`);
}
