import type { GradientModel, OpenModel } from '@gauntlet/core';
import { tensor } from '@gauntlet/tensor';
import { probeBatchSize, probeSize } from './batch-size.js';

/** A model whose calls take the seconds that `cost` says, on a clock of its own. */
function modelOf(cost: (size: number) => number, callSize?: number) {
  let clock = 0;
  const asked: number[] = [];
  const spend = (size: number) => {
    asked.push(size);
    clock += cost(size);
  };
  const model = {
    name: 'toy',
    input: { shape: [1], bounds: [0, 1] },
    classes: 2,
    access: 'gradients',
    ...(callSize !== undefined && { callSize }),
    labels: async ({ shape: [n = 0] }) => (spend(n), new Int32Array(n)),
    scores: async ({ shape: [n = 0] }) => (spend(n), tensor(new Float32Array(2 * n), [n, 2])),
    gradient: async (points) => {
      spend(points.shape[0]!);
      return { scores: points, loss: new Float32Array(points.shape[0]!), gradient: points };
    },
    close: async () => undefined,
  } satisfies OpenModel<'gradients'>;
  return { model, asked, now: () => clock };
}

const probe = ({ model, now }: ReturnType<typeof modelOf>, samples: number) => {
  const size = probeSize(model, samples);
  const x = tensor(new Float32Array(size), [size, 1]);
  return probeBatchSize(model, { access: 'gradients', x, targeted: false, now });
};

it.each<[string, (size: number) => number, number, number | undefined, number]>([
  ['calls have a fixed cost: as large as is tried', (n) => 1e-3 + 1e-5 * n, 1000, undefined, 256],
  [
    'the fixed cost is soon nothing: large all the same, as batches shrink',
    (n) => 1e-5 + 1e-5 * n,
    1000,
    undefined,
    256,
  ],
  ['caches are full from 32 on', (n) => 1e-4 + 1e-5 * n * (n > 32 ? 2 : 1), 1000, undefined, 32],
  ['fewer samples', (n) => 1e-3 + 1e-5 * n, 100, undefined, 100],
  ['memory for less', (n) => 1e-3 + 1e-5 * n, 1000, 24, 24],
  ['memory for one', (n) => 1e-3 + 1e-5 * n, 1000, 1, 1],
  ['a slow model: the usual size', (n) => 0.3 * n, 1000, undefined, 64],
  ['a slow model, and memory for less', (n) => 0.3 * n, 1000, 6, 6],
])('where %s', async (_name, cost, samples, callSize, expected) => {
  expect(await probe(modelOf(cost, callSize), samples)).toBe(expected);
});

it('takes no longer than about a second, or the first two calls', async () => {
  for (const [each, most] of [
    [1e-5, 1],
    [1e-2, 1.6],
    [0.3, 1.6],
    [10, 20],
  ] as const) {
    const toy = modelOf((n) => each * n);
    await probe(toy, 1000);
    expect(toy.now()).toBeLessThanOrEqual(most + 1e-9);
  }
});

it('asks for what the attacks will ask for', async () => {
  const { model, now } = modelOf(() => 1);
  const calls: string[] = [];
  const told = (name: 'labels' | 'scores' | 'gradient') => ({
    [name]: (...args: Parameters<GradientModel['gradient']>) => {
      calls.push(name);
      return (model[name] as (...all: unknown[]) => unknown)(...args);
    },
  });
  const watched = {
    ...model,
    ...told('labels'),
    ...told('scores'),
    ...told('gradient'),
  } as OpenModel<'gradients'>;
  const x = tensor(new Float32Array(1), [1, 1]);
  for (const access of ['labels', 'scores', 'gradients'] as const)
    await probeBatchSize(watched, { access, x, targeted: true, now });
  expect([...new Set(calls)]).toEqual(['labels', 'scores', 'gradient']);
});
