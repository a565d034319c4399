// QR codes (ISO/IEC 18004): bytes, error correction L, versions 1 to 9, which hold an address of 230 bytes.

/** Error correction codewords a block, blocks, data codewords, by version. */
const VERSIONS: readonly (readonly [number, number, number])[] = [
  [7, 1, 19], [10, 1, 34], [15, 1, 55], [20, 1, 80], [26, 1, 108], [18, 2, 136], [20, 2, 156], [24, 2, 194], [30, 2, 232],
];
/** Centres of alignment patterns beside the first, 6, by version. */
const ALIGNMENT: readonly (readonly number[])[] = [[], [18], [22], [26], [30], [34], [22, 38], [24, 42], [26, 46]];

type Grid = boolean[][];

/** The modules of `text`, dark is true; undefined when it is too long. */
export function qr(text: string): Grid | undefined {
  const bytes = [...new TextEncoder().encode(text)];
  const version = VERSIONS.findIndex(([, , capacity]) => bytes.length + 2 <= capacity) + 1;
  if (version === 0) return undefined;
  const bits = codewords(bytes, version).flatMap((byte) => bitsOf(byte, 8));
  let best: { grid: Grid; penalty: number } | undefined;
  for (let mask = 0; mask < 8; mask += 1) {
    const grid = drawn(bits, version, mask);
    const found = penalty(grid);
    if (best === undefined || found < best.penalty) best = { grid, penalty: found };
  }
  return best?.grid;
}

function bitsOf(value: number, count: number): boolean[] {
  return Array.from({ length: count }, (_, index) => ((value >> (count - 1 - index)) & 1) === 1);
}

/** Data and error correction, interleaved. */
function codewords(bytes: readonly number[], version: number): number[] {
  const [correction = 0, blocks = 1, capacity = 0] = VERSIONS[version - 1] ?? [];
  // Mode 4 (bytes), an 8-bit length, the bytes, a terminator of four zeros: all shifted by half a byte.
  const nibbles = [4, bytes.length >> 4, bytes.length & 15, ...bytes.flatMap((byte) => [byte >> 4, byte & 15]), 0];
  const data: number[] = [];
  for (let at = 0; at < nibbles.length; at += 2) data.push(((nibbles[at] ?? 0) << 4) | (nibbles[at + 1] ?? 0));
  for (let pad = 0xec; data.length < capacity; pad ^= 0xec ^ 0x11) data.push(pad);
  const length = capacity / blocks;
  const parts = Array.from({ length: blocks }, (_, block) => data.slice(block * length, (block + 1) * length));
  const checks = parts.map((part) => remainder(part, correction));
  const woven = (lists: readonly (readonly number[])[]) => (lists[0] ?? []).flatMap((_, at) => lists.map((list) => list[at] ?? 0));
  return [...woven(parts), ...woven(checks)];
}

/** Product in GF(256) with the polynomial 0x11d. */
function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    if (((b >> bit) & 1) === 1) product ^= a;
  }
  return product;
}

/** The Reed-Solomon check words of `data`. */
function remainder(data: readonly number[], degree: number): number[] {
  let generator = [1];
  for (let index = 0, root = 1; index < degree; index += 1, root = times(root, 2)) {
    const next = [...generator, 0];
    generator.forEach((factor, at) => { next[at + 1] = (next[at + 1] ?? 0) ^ times(factor, root); });
    generator = next;
  }
  const rest = Array<number>(degree).fill(0);
  for (const byte of data) {
    const factor = byte ^ (rest.shift() ?? 0);
    rest.push(0);
    rest.forEach((_, at) => { rest[at] = (rest[at] ?? 0) ^ times(generator[at + 1] ?? 0, factor); });
  }
  return rest;
}

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0, (_x, y) => y % 2 === 0, (x) => x % 3 === 0, (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0, (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0, (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

function drawn(bits: readonly boolean[], version: number, mask: number): Grid {
  const size = 17 + 4 * version;
  const grid: (boolean | undefined)[][] = Array.from({ length: size }, () => Array<boolean | undefined>(size).fill(undefined));
  const set = (x: number, y: number, dark: boolean) => {
    const row = grid[y];
    if (row !== undefined && x >= 0 && x < size) row[x] = dark;
  };
  for (let at = 0; at < size; at += 1) { set(6, at, at % 2 === 0); set(at, 6, at % 2 === 0); }
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]] as const) {
    for (let dy = -4; dy <= 4; dy += 1) for (let dx = -4; dx <= 4; dx += 1) {
      const ring = Math.max(Math.abs(dx), Math.abs(dy));
      set(cx + dx, cy + dy, ring !== 2 && ring !== 4);
    }
  }
  const centres = [6, ...(ALIGNMENT[version - 1] ?? [])];
  for (const cy of version === 1 ? [] : centres) for (const cx of centres) {
    if ((cx === 6 && (cy === 6 || cy === size - 7)) || (cy === 6 && cx === size - 7)) continue;
    for (let dy = -2; dy <= 2; dy += 1) for (let dx = -2; dx <= 2; dx += 1) set(cx + dx, cy + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
  }
  format(set, size, mask);
  if (version >= 7) {
    const word = (version << 12) | bch(version << 12, 0x1f25, 12);
    for (let at = 0; at < 18; at += 1) {
      const dark = ((word >> at) & 1) === 1;
      set(size - 11 + (at % 3), Math.floor(at / 3), dark);
      set(Math.floor(at / 3), size - 11 + (at % 3), dark);
    }
  }
  const inverts = MASKS[mask];
  let next = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) for (const x of [right, right - 1]) {
      const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
      if (grid[y]?.[x] !== undefined) continue;
      set(x, y, (bits[next] ?? false) !== (inverts?.(x, y) ?? false));
      next += 1;
    }
  }
  return grid.map((row) => row.map((dark) => dark ?? false));
}

/** Level L and the mask, twice, and the one module that is always dark. */
function format(set: (x: number, y: number, dark: boolean) => void, size: number, mask: number): void {
  const data = (1 << 13) | (mask << 10);
  const word = (data | bch(data, 0x537, 10)) ^ 0x5412;
  const dark = (at: number) => ((word >> at) & 1) === 1;
  for (let at = 0; at < 6; at += 1) { set(8, at, dark(at)); set(14 - (at + 9), 8, dark(at + 9)); }
  set(8, 7, dark(6));
  set(8, 8, dark(7));
  set(7, 8, dark(8));
  for (let at = 0; at < 8; at += 1) set(size - 1 - at, 8, dark(at));
  for (let at = 8; at < 15; at += 1) set(8, size - 15 + at, dark(at));
  set(8, size - 8, true);
}

function bch(value: number, polynomial: number, degree: number): number {
  let rest = value;
  for (let bit = 31 - Math.clz32(rest); bit >= degree; bit -= 1) if (((rest >> bit) & 1) === 1) rest ^= polynomial << (bit - degree);
  return rest;
}

/** How hard a grid is to read: runs of one colour, and blocks. */
function penalty(grid: Grid): number {
  let points = 0;
  const size = grid.length;
  const at = (x: number, y: number) => grid[y]?.[x] ?? false;
  for (let y = 0; y < size; y += 1) {
    for (const line of [(i: number) => at(i, y), (i: number) => at(y, i)]) {
      for (let i = 1, run = 1; i <= size; i += 1) {
        if (i < size && line(i) === line(i - 1)) run += 1;
        else { if (run >= 5) points += run - 2; run = 1; }
      }
    }
    for (let x = 0; x + 1 < size && y + 1 < size; x += 1) {
      if (at(x, y) === at(x + 1, y) && at(x, y) === at(x, y + 1) && at(x, y) === at(x + 1, y + 1)) points += 3;
    }
  }
  return points;
}
