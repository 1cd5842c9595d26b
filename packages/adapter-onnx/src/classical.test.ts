import { readFileSync } from 'node:fs';
import type { OpenModel } from '@gauntlet/core';
import { crossEntropy } from '@gauntlet/kit';
import { floats as floatList, type Graph } from '@gauntlet/onnx';
import { argmax, stream, type Tensor, tensor } from '@gauntlet/tensor';
import { ML } from './classical.js';
import { openOnnx } from './open.js';
import { loadRuntime } from './runtime.js';
import { temporary } from './testing/files.js';

const folder = temporary();
afterAll(() => folder.remove());

const FEATURES = 5;
const normals = (...keys: (string | number)[]) => {
  const random = stream(...keys);
  return (count: number) => Array.from({ length: count }, () => random.normal());
};
// Signs are mixed, and no entry is so near zero that an absolute value has its kink there.
const away = (value: number) => value + Math.sign(value) / 2;
const x: Tensor = tensor(Float32Array.from(normals('samples')(9 * FEATURES), away), [9, FEATURES]);

interface Linear {
  readonly rows: number;
  readonly classes: number;
  readonly link: string;
  readonly opposite?: boolean;
}

const linear =
  ({ rows, classes, link, opposite = false }: Linear) =>
  (graph: Graph, input: string) => {
    const draw = normals('weights', rows, link);
    const [weights, bias] = [draw(rows * FEATURES), draw(rows)];
    if (opposite) {
      for (let i = 0; i < FEATURES; i++) weights[i] = -weights[FEATURES + i]!;
      bias[0] = -bias[1]!;
    }
    const labels = Array.from({ length: classes }, (_, k) => k);
    const attributes = {
      coefficients: floatList(weights),
      intercepts: floatList(bias),
      classlabels_ints: labels,
      post_transform: link,
    };
    return graph.nodes(
      'LinearClassifier',
      [input],
      2,
      { ...attributes, multi_class: classes > 2 ? 1 : 0 },
      { domain: ML },
    )[1]!;
  };
const op = (name: string, attributes: Parameters<Graph['node']>[2]) => (graph: Graph, input: string) =>
  graph.node(name, [input], attributes, { domain: ML });

/** A model of scikit-learn's operators whose output are the probabilities. */
const model = (...steps: ((graph: Graph, input: string) => string)[]) =>
  folder.model((graph) => {
    graph.model.opsetImport.push({ ...graph.model.opsetImport[0]!, domain: ML, version: 3n });
    const last = steps.reduce((at, step) => step(graph, at), graph.input('x', 'float32', ['N', FEATURES]));
    graph.nodes('Identity', [last], 1, {}, { outputs: ['probabilities'] });
    graph.output('probabilities', 'float32');
  });

async function probabilities(path: string): Promise<Tensor> {
  const { InferenceSession, Tensor: Native } = await loadRuntime();
  const session = await InferenceSession.create(readFileSync(path), { logSeverityLevel: 4 });
  const { probabilities: found } = await session.run({ x: new Native('float32', x.data, x.shape) });
  await session.release();
  return tensor(found!.data as Float32Array, found!.dims);
}

const l1 = op('Normalizer', { norm: 'L1' });
const cases: Record<string, [path: () => string, exact: boolean]> = {
  'two opposite rows, logistic': [
    () => model(linear({ rows: 2, classes: 2, link: 'LOGISTIC', opposite: true }), l1),
    true,
  ],
  'one row, logistic': [() => model(linear({ rows: 1, classes: 2, link: 'LOGISTIC' })), true],
  'three rows, softmax': [() => model(linear({ rows: 3, classes: 3, link: 'SOFTMAX' }), l1), true],
  'three rows, one against the rest': [
    () => model(linear({ rows: 3, classes: 3, link: 'LOGISTIC' }), l1),
    false,
  ],
  'two different rows, softmax': [() => model(linear({ rows: 2, classes: 2, link: 'SOFTMAX' })), true],
  'scaled features': [
    () =>
      model(
        op('Scaler', { offset: floatList([1, 2, 3, 4, 5]), scale: floatList([2, 2, 2, 2, 2]) }),
        linear({ rows: 3, classes: 3, link: 'SOFTMAX' }),
      ),
    true,
  ],
  ...Object.fromEntries(
    ['L1', 'L2'].map((norm) => [
      `features normalised by ${norm}`,
      [
        () => model(op('Normalizer', { norm }), linear({ rows: 3, classes: 3, link: 'SOFTMAX' })),
        true,
      ] as const,
    ]),
  ),
};

it.each(Object.entries(cases))(
  '%s: scores are logits of the probabilities, with their gradient',
  async (_, [make, exact]) => {
    const path = make();
    const p = await probabilities(path);
    const opened = (await openOnnx(path, { bounds: [-9, 9], trial: false })) as OpenModel<'gradients'>;
    const classes = Int32Array.from({ length: 9 }, (_unused, i) => i % opened.classes);
    const loss = crossEntropy({ kind: 'untargeted', classes, confidence: 0 });
    const at = async (points: Tensor) => (await opened.gradient(points, loss)).loss;
    const { scores, gradient } = await opened.gradient(x, loss);
    expect(argmax(scores)).toEqual(argmax(p));
    if (exact) {
      const own = await at(x);
      classes.forEach((k, i) => expect(own[i]).toBeCloseTo(-Math.log(p.data[i * opened.classes + k]!), 4));
    }
    // Central differences along one random direction.
    const direction = Float32Array.from(normals('direction')(x.data.length));
    const h = 1e-2;
    const [up, down] = await Promise.all(
      [h, -h].map((step) => at({ ...x, data: x.data.map((v, i) => v + step * direction[i]!) })),
    );
    for (let i = 0; i < 9; i++) {
      const slope = (up![i]! - down![i]!) / (2 * h);
      let along = 0;
      for (let j = 0; j < FEATURES; j++)
        along += gradient.data[i * FEATURES + j]! * direction[i * FEATURES + j]!;
      expect(Math.abs(along - slope)).toBeLessThan(1e-2 * Math.max(1, Math.abs(slope)));
    }
    await opened.close();
  },
);
