import { openOnnx } from '@gauntlet/adapter-onnx';
import { evade, type EvasionTask, reachedByScores, type Tree } from '@gauntlet/core';
import npz from '@gauntlet/dataset-npz';
import { distance, NORMS, row, rows, rowSize, stream, take, type Tensor, tensor } from '@gauntlet/tensor';
import attack from './decision-tree.js';

/** A model of fixtures/sklearn, and those of its samples that it gets right. */
async function open(name: string) {
  const bounds = [0, 1] as const;
  const model = await openOnnx(`fixtures/sklearn/${name}.onnx`, { bounds, trial: false });
  const data = await npz.open(`fixtures/sklearn/${name}.npz`, { bounds, options: { x: 'x', y: 'y' } });
  const { x, y } = await data.batch(0, data.samples);
  const answers = await model.labels(x);
  const right = [...y.keys()].filter((i) => answers[i] === y[i]);
  return { model, x: take(x, right), y: Int32Array.from(right, (i) => y[i]!) };
}

type Opened = Awaited<ReturnType<typeof open>>;

const task = ({ model, x, y }: Opened, more: Partial<EvasionTask> = {}): EvasionTask => ({
  ...{ attack, options: {}, model, x, ids: [...y.keys()], clean: y, norm: 'linf', epsilon: Infinity },
  goal: { kind: 'untargeted', classes: y, confidence: 0 },
  ...{ box: model.input.bounds, restarts: 1, seed: 0, signal: new AbortController().signal },
  ...more,
});

/** The bounds of each leaf, entry by entry: above `lo`, up to `hi`. */
type Bounds = readonly (readonly [lo: number, hi: number])[];

const leavesOf = (tree: Tree, bounds: Bounds): readonly Bounds[] => {
  if ('scores' in tree) return [bounds];
  const to = (side: readonly [number, number]) =>
    bounds.map(([lo, hi], j) =>
      j === tree.feature ? ([Math.max(lo, side[0]), Math.min(hi, side[1])] as const) : ([lo, hi] as const),
    );
  return [
    ...leavesOf(tree.left, to([-Infinity, tree.threshold])),
    ...leavesOf(tree.right, to([tree.threshold, Infinity])),
  ];
};

/** Every way to take one leaf of each tree that some input of the box takes. */
function everyCell(trees: readonly Tree[], features: number): readonly Bounds[] {
  const box: Bounds = Array.from({ length: features }, () => [-1, 1] as const);
  return trees.reduce<readonly Bounds[]>(
    (cells, tree) =>
      cells.flatMap((cell) =>
        leavesOf(tree, cell).filter((part) => part.every(([lo, hi]) => Math.fround(lo + 1e-7) <= hi)),
      ),
    [box],
  );
}

/** The model is asked about the nearest point of every cell: the nearest one that it gets wrong, in each norm. */
async function exhaustive({ model, x, y }: Opened, i: number, cells: readonly Bounds[]) {
  const own = row(x, i);
  // What is above a bound is taken to be so by a little more than float32 can tell.
  const points = cells.map((cell) =>
    Float32Array.from(own, (value, j) => Math.min(cell[j]![1], Math.max(cell[j]![0] + 1e-7, value))),
  );
  const all = tensor(Float32Array.from(points.flatMap((point) => [...point])), [cells.length, own.length]);
  const labels = await model.labels(all);
  const wrong = points.filter((_, k) => labels[k] !== y[i]);
  return NORMS.map((norm) => Math.min(...wrong.map((point) => distance(point, own, norm))));
}

it.each([
  ['tree-2', 20],
  ['tree-3', 20],
  ['forest-3', 4],
])('finds the nearest point of %s that there is', async (name, samples) => {
  const opened = await open(name);
  const cells = everyCell(opened.model.trees!.trees, opened.model.input.shape[0]!);
  const some = { ...opened, x: take(opened.x, [...Array(samples).keys()]), y: opened.y.slice(0, samples) };
  const nearest = await Promise.all([...some.y.keys()].map((i) => exhaustive(some, i, cells)));
  for (const [place, norm] of NORMS.entries()) {
    const found = await evade(task(some, { norm }));
    expect([...found.reached]).toEqual(Array(samples).fill(1));
    found.distance.forEach((far, i) => expect(far).toBeCloseTo(nearest[i]![place]!, 5));
    expect(await opened.model.labels(found.points)).toEqual(found.labels);
  }
  await opened.model.close();
});

/** Corners and inner points of the linf ball around sample `i`. */
function around(x: Tensor, i: number, radius: number): Tensor {
  const random = stream('around', i);
  const points = Array.from({ length: DRAWS }, (_, k) =>
    Float32Array.from(row(x, i), (value) => {
      const draw = 2 * random.uniform() - 1;
      return Math.min(1, Math.max(0, value + radius * (k % 2 ? draw : Math.sign(draw))));
    }),
  );
  return tensor(Float32Array.from(points.flatMap((point) => [...point])), [DRAWS, rowSize(x)]);
}

const DRAWS = 500;

it('leaves nothing nearer, on the test set of a forest', async () => {
  const opened = await open('forest-3');
  const given = task(opened);
  const { distance: far } = await evade(given);
  for (let i = 0; i < rows(opened.x); i += 4) {
    const of = Array<number>(DRAWS).fill(i);
    const scores = await opened.model.scores(around(opened.x, i, 0.999 * far[i]!));
    expect(reachedByScores(given.goal, scores, of)).not.toContain(true);
    const beyond = await opened.model.scores(around(opened.x, i, 2 * far[i]!));
    if (i === 0) expect(reachedByScores(given.goal, beyond, of)).toContain(true);
  }
  await opened.model.close();
});

it('asks once about each sample, and reaches targets', async () => {
  const opened = await open('forest-3');
  const classes = opened.y.map((label) => (label + 1) % 3);
  const found = await evade(task(opened, { goal: { kind: 'targeted', classes, confidence: 0 } }));
  expect(found.labels).toEqual(classes);
  expect(new Set(found.queries)).toEqual(new Set([1]));
  await opened.model.close();
});

it('is refused where a model is no tree', async () => {
  const { trees, ...model } = (await open('tree-3')).model;
  expect(trees).toBeDefined();
  const opened = { ...(await open('tree-3')), model };
  await expect(evade(task(opened))).rejects.toThrow('without trees');
});
