import type { Planes } from '@gauntlet/kit';
import type { Ball, Stream } from '@gauntlet/tensor';

// Looked up once: see tensor's geometry.
const { abs, floor, max, min, sqrt } = Math;

/** One sample, and how large its next square is. */
interface Subject {
  readonly clean: Float32Array;
  readonly random: Stream;
  readonly planes: Planes;
  readonly ball: Pick<Ball, 'epsilon' | 'box'>;
}

interface Size {
  readonly rows: number;
  readonly columns: number;
}

interface Search {
  /** The first point. */
  start(subject: Subject): Float32Array;
  /** Changes one square of a point, in place. */
  change(point: Float32Array, subject: Subject & { readonly size: Size }): void;
}

/** What differs between the norms: section 3.3 (linf) and 3.4 (l2). */
export const SEARCH: Readonly<Record<'linf' | 'l2', Search>> = {
  // Every entry is moved by epsilon, one way or the other: stripes first, then squares of one sign per channel.
  linf: {
    start({ clean, random, planes, ball }) {
      const point = clean.slice();
      eachChannel(planes, (channel) => {
        for (let j = 0; j < planes.width; j++) {
          const sign = either(random);
          for (let i = 0; i < planes.height; i++) move(point, clean, planes.at(channel, i, j), sign, ball);
        }
      });
      return point;
    },
    change(point, { clean, random, planes, ball, size }) {
      // A square that changes nothing would waste the query.
      for (let changed = false, tries = 0; !changed && tries < 20; tries++) {
        const square = place(random, planes, size);
        eachChannel(planes, (channel) => {
          const sign = either(random);
          eachEntry(square, planes, channel, (at) => {
            changed = move(point, clean, at, sign, ball) || changed;
          });
        });
      }
    },
  },

  // The length epsilon is spent on few squares of two bumps each: a square takes what another one had.
  l2: {
    start({ clean, random, planes, ball }) {
      const delta = new Float64Array(clean.length);
      const [rows, columns] = [planes.height, planes.width].map((n) => max(1, floor(n / 5))) as [
        number,
        number,
      ];
      for (let top = 0; top + rows <= planes.height; top += rows) {
        for (let left = 0; left + columns <= planes.width; left += columns) {
          const bumps = twoBumps(random, { rows, columns });
          eachChannel(planes, (channel) => {
            const sign = either(random);
            const square = { top, left, rows, columns };
            eachEntry(square, planes, channel, (at, k) => (delta[at] = sign * bumps[k]!));
          });
        }
      }
      return spend(clean.slice(), clean, delta, ball);
    },
    change(point, { clean, random, planes, ball, size }) {
      const delta = Float64Array.from(point, (value, at) => value - clean[at]!);
      const grown = { rows: odd(size.rows, planes.height), columns: odd(size.columns, planes.width) };
      const into = place(random, planes, grown);
      const from = place(random, planes, grown);
      const bumps = twoBumps(random, grown);
      const unspent = max(0, ball.epsilon ** 2 - squares(delta)) / planes.channels;
      eachChannel(planes, (channel) => {
        const own = entries(into, planes, channel);
        const taken = entries(from, planes, channel);
        const had = own.map((at) => delta[at]!);
        for (const at of own) delta[at] = 0;
        // What both squares hold, counted once.
        const held = squares(had);
        const budget = unspent + held + taken.reduce((sum, at) => sum + delta[at]! ** 2, 0);
        const sign = either(random);
        const fresh = had.map((value, k) => sign * bumps[k]! + value / (1e-10 + sqrt(held)));
        const scale = sqrt(budget / squares(fresh));
        for (const at of taken) delta[at] = 0;
        own.forEach((at, k) => (delta[at] = scale * fresh[k]!));
      });
      spend(point, clean, delta, ball);
    },
  },
};

const either = (random: Stream): 1 | -1 => (random.uniform() < 0.5 ? -1 : 1);

function squares(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return sum;
}

const odd = (n: number, most: number) => min(max(3, n % 2 ? n : n + 1), most);

interface Square extends Size {
  readonly top: number;
  readonly left: number;
}

const place = (random: Stream, planes: Planes, { rows, columns }: Size): Square => ({
  top: random.integer(planes.height - rows + 1),
  left: random.integer(planes.width - columns + 1),
  rows,
  columns,
});

function eachChannel({ channels }: Planes, visit: (channel: number) => void): void {
  for (let channel = 0; channel < channels; channel++) visit(channel);
}

function eachEntry(
  { top, left, rows, columns }: Square,
  planes: Planes,
  channel: number,
  visit: (at: number, place: number) => void,
): void {
  for (let i = 0, k = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++, k++) visit(planes.at(channel, top + i, left + j), k);
  }
}

function entries(square: Square, planes: Planes, channel: number): number[] {
  const all: number[] = [];
  eachEntry(square, planes, channel, (at) => all.push(at));
  return all;
}

/** Puts an entry epsilon away from the clean one; answers whether that changed it. */
function move(
  point: Float32Array,
  clean: Float32Array,
  at: number,
  sign: number,
  { epsilon, box }: Subject['ball'],
): boolean {
  const before = point[at]!;
  point[at] = min(box[1], max(box[0], clean[at]! + sign * epsilon));
  return point[at] !== before;
}

/** clip(clean + epsilon delta / |delta|), written to `point`. */
function spend(
  point: Float32Array,
  clean: Float32Array,
  delta: Float64Array,
  { epsilon, box }: Subject['ball'],
) {
  const scale = epsilon / sqrt(squares(delta));
  for (let at = 0; at < point.length; at++) {
    point[at] = min(box[1], max(box[0], clean[at]! + scale * delta[at]!));
  }
  return point;
}

/** Two bumps of opposite sign, side by side, of length 1 together (equation 2 of the paper, and its code). */
export function twoBumps(random: Stream, { rows, columns }: Size): Float64Array {
  const upright = columns < 2 || (rows > 1 && random.uniform() < 0.5);
  const [long, wide] = upright ? [rows, columns] : [columns, rows];
  const half = floor(long / 2);
  const values = new Float64Array(rows * columns);
  const write = (from: number, to: number, sign: number) => {
    const [middle, centre] = [floor((to - from) / 2), floor(wide / 2)];
    const heights = bump(max(middle, centre));
    for (let i = from; i < to; i++) {
      for (let j = 0; j < wide; j++) {
        const away = max(abs(i - from - middle), abs(j - centre));
        values[upright ? i * columns + j : j * columns + i] = sign * heights[away]!;
      }
    }
  };
  write(0, half, 1);
  write(half, long, -1);
  const length = sqrt(squares(values));
  return values.map((value) => value / length);
}

/** The height of a bump by the distance from its middle: the sum of 1 / (k + 1)^2 over the squares of side 2 k + 1 that reach so far. */
function bump(radius: number): number[] {
  const heights: number[] = [];
  for (let k = radius, sum = 0; k >= 0; k--) heights[k] = sum += 1 / (k + 1) ** 2;
  return heights;
}
