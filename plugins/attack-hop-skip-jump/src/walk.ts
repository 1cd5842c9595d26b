import { distance, like, norm, row, type Stream, take, type Tensor } from '@gauntlet/tensor';

/** A point per sample that reaches the goal, on its way along the boundary. */
export interface Walk {
  readonly x: Tensor;
  /** Moved by the functions below, to points that reach the goal only. */
  readonly at: Tensor;
  readonly kind: 'l2' | 'linf';
  readonly box: readonly [lo: number, hi: number];
  readonly random: readonly Stream[];
  /** Whether points reach the goals of their samples. */
  hits(points: Tensor, of: readonly number[]): Promise<boolean[]>;
}

const { max, min } = Math;

const clip = (value: number, lo: number, hi: number) => min(hi, max(lo, value));

/** The most points that one bisection asks about, and one step. */
export const BISECTIONS = 22;
export const HALVINGS = 30;

/** Bisects between clean samples and their points, until the ends are `theta` of their distance apart. */
export async function toBoundary(
  { x, at, kind, hits }: Walk,
  samples: readonly number[],
  theta: number,
): Promise<void> {
  const brackets = samples.map((sample) => {
    const end = row(at, sample).slice();
    return { sample, end, far: distance(end, row(x, sample), kind), low: 0, high: 1 };
  });
  // Nothing in float32 lies between ends that are nearer.
  const apart = Math.max(theta, 2 ** -BISECTIONS);
  for (;;) {
    const open = brackets.filter(({ low, high }) => high - low > apart);
    if (open.length === 0) return;
    const of = open.map(({ sample }) => sample);
    const points = take(at, of);
    open.forEach(({ sample, end, far, low, high }, k) => {
      const clean = row(x, sample);
      const share = (low + high) / 2;
      const to = row(points, k);
      for (let j = 0; j < to.length; j++) {
        const moved = end[j]! - clean[j]!;
        to[j] = clean[j]! + (kind === 'l2' ? share * moved : clip(moved, -share * far, share * far));
      }
    });
    (await hits(points, of)).forEach((hit, k) => {
      const bracket = open[k]!;
      bracket[hit ? 'high' : 'low'] = (bracket.low + bracket.high) / 2;
      if (hit) row(at, bracket.sample).set(row(points, k));
    });
  }
}

/** As many points are asked about in one call. */
const POINTS = 2048;

/**
 * The direction of the boundary's normal at each point: the mean of random unit vectors u, by `count` votes phi = +1 where the point
 * `reach` along u reaches the goal and -1 where not, less the mean vote unless all agree. In linf its sign.
 */
export async function normals(
  { at, kind, box, random, hits }: Walk,
  samples: readonly number[],
  count: number,
  reach: (sample: number) => number,
): Promise<Tensor> {
  const directions = like(at);
  const together = Math.max(1, Math.floor(POINTS / count));
  for (let first = 0; first < samples.length; first += together) {
    const group = samples.slice(first, first + together);
    const of = group.flatMap((i) => Array<number>(count).fill(i));
    const points = take(at, of);
    of.forEach((i, k) => scatter(row(points, k), random[i]!, reach(i), { kind, box }));
    const votes = (await hits(points, of)).map((hit) => (hit ? 1 : -1));
    group.forEach((i, g) => {
      const own = votes.slice(g * count, (g + 1) * count);
      const mean = own.reduce<number>((sum, vote) => sum + vote, 0) / count;
      const direction = row(directions, i);
      const from = row(at, i);
      own.forEach((vote, k) => {
        const weight = Math.abs(mean) === 1 ? vote : vote - mean;
        const point = row(points, g * count + k);
        for (let j = 0; j < point.length; j++) direction[j]! += weight * (point[j]! - from[j]!);
      });
      const size = norm(direction, 'l2');
      direction.forEach((v, j) => (direction[j] = kind === 'linf' ? Math.sign(v) : size > 0 ? v / size : 0));
    });
  }
  return directions;
}

/** Moves a point by `reach` in a random direction: normal in l2, uniform in linf, of l2 length 1. */
function scatter(
  point: Float32Array,
  random: Stream,
  reach: number,
  { kind, box }: Pick<Walk, 'kind' | 'box'>,
): void {
  const draw = point.map(() => (kind === 'l2' ? random.normal() : 2 * random.uniform() - 1));
  const scale = reach / norm(draw, 'l2');
  for (let j = 0; j < point.length; j++) point[j] = clip(point[j]! + scale * draw[j]!, box[0], box[1]);
}

/** Steps along the directions, by lengths that are halved until the point reaches the goal. */
export async function leap(
  { at, box, hits }: Walk,
  samples: readonly number[],
  directions: Tensor,
  length: (sample: number) => number,
): Promise<void> {
  let steps = samples.map((sample) => ({ sample, length: length(sample) }));
  for (let halvings = 0; halvings < HALVINGS && steps.length > 0; halvings++) {
    const of = steps.map(({ sample }) => sample);
    const points = take(at, of);
    steps.forEach(({ sample, length }, k) => {
      const to = row(points, k);
      const direction = row(directions, sample);
      for (let j = 0; j < to.length; j++) to[j] = clip(to[j]! + length * direction[j]!, box[0], box[1]);
    });
    const reached = await hits(points, of);
    reached.forEach((hit, k) => hit && row(at, of[k]!).set(row(points, k)));
    steps = steps.flatMap(({ sample, length }, k) => (reached[k] ? [] : [{ sample, length: length / 2 }]));
  }
}
