import type { Tree, Trees } from '@gauntlet/core';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type AttributeValue,
  create,
  floats,
} from '@gauntlet/onnx';
import { row, rows, stream, type Tensor, tensor } from '@gauntlet/tensor';
import { ML } from './classical.js';
import { openOnnx } from './open.js';
import { temporary } from './testing/files.js';

const folder = temporary();
afterAll(() => folder.remove());

const leafOf = (tree: Tree, x: Float32Array): readonly number[] =>
  'scores' in tree ? tree.scores : leafOf(x[tree.feature]! <= tree.threshold ? tree.left : tree.right, x);

const scoresOf = ({ base, trees }: Trees, x: Float32Array): number[] =>
  base.map((start, k) => trees.reduce((sum, tree) => sum + leafOf(tree, x)[k]!, start));

const thresholdsOf = (tree: Tree): readonly (readonly [feature: number, value: number])[] =>
  'scores' in tree
    ? []
    : [[tree.feature, tree.threshold], ...thresholdsOf(tree.left), ...thresholdsOf(tree.right)];

/** Points all over the box, with entries that lie on thresholds and just beside them. */
function probes({ trees }: Trees, features: number): Tensor {
  const thresholds = trees.flatMap(thresholdsOf);
  const data = Float32Array.from({ length: 400 * features }, (_, i) => stream('probe', i).uniform());
  const points = tensor(data, [400, features]);
  for (let i = 0; i < rows(points); i++) {
    const [feature, value] = thresholds[i % thresholds.length]!;
    row(points, i)[feature] = [value, value + 1e-7, value - 1e-7][i % 3]!;
  }
  return points;
}

async function agrees(path: string): Promise<Trees | undefined> {
  const model = await openOnnx(path, { bounds: [0, 1], trial: false });
  if (model.trees === undefined) return undefined;
  const points = probes(model.trees, model.input.shape[0]!);
  const scores = await model.scores(points);
  for (let i = 0; i < rows(points); i++) {
    const own = scoresOf(model.trees, row(points, i));
    own.forEach((score, k) => expect(row(scores, i)[k]).toBeCloseTo(score, 5));
  }
  await model.close();
  return model.trees;
}

it.each([
  ['tree-2', 1],
  ['tree-3', 1],
  ['forest-3', 5],
])('reads %s of scikit-learn: %d trees that say what the model says', async (name, count) => {
  expect((await agrees(`fixtures/sklearn/${name}.onnx`))?.trees).toHaveLength(count);
});

const FEATURES = 2;

/** Two splits in a row: what is true of the first goes on to the second, and the rest is a leaf. */
const ensemble = (modes: readonly string[], more: Record<string, AttributeValue> = {}) =>
  folder.model((graph) => {
    graph.model.opsetImport.push({ ...graph.model.opsetImport[0]!, domain: ML, version: 3n });
    const attributes = {
      nodes_treeids: [0, 0, 0, 0, 0],
      nodes_nodeids: [0, 1, 2, 3, 4],
      nodes_featureids: [0, 1, 0, 0, 0],
      nodes_values: floats([0.6, 0.5, 0, 0, 0]),
      nodes_truenodeids: [1, 3, 0, 0, 0],
      nodes_falsenodeids: [2, 4, 0, 0, 0],
      class_treeids: [0, 0, 0],
      class_nodeids: [2, 3, 4],
      class_ids: [0, 0, 0],
      class_weights: floats([0.1, 0.9, 0.4]),
      classlabels_int64s: [0, 1],
      post_transform: 'NONE',
      ...more,
    };
    const input = graph.input('x', 'float32', ['N', FEATURES]);
    const [, scores] = graph.nodes('TreeEnsembleClassifier', [input], 2, attributes, { domain: ML });
    const strings = [...modes.map((mode) => `BRANCH_${mode}`), 'LEAF', 'LEAF', 'LEAF'];
    graph.producer(scores!)!.attribute.push(
      create(AttributeProtoSchema, {
        name: 'nodes_modes',
        type: AttributeProto_AttributeType.STRINGS,
        strings: strings.map((text) => new TextEncoder().encode(text)),
      }),
    );
    graph.nodes('Identity', [scores!], 1, {}, { outputs: ['probabilities'] });
    graph.output('probabilities', 'float32');
  });

it.each([
  ['comparisons that leave the threshold out', ['LT', 'GTE'], {}],
  ['comparisons the other way round', ['GT', 'LEQ'], {}],
  ['weights below zero', ['LEQ', 'LEQ'], { class_weights: floats([-0.5, 0.25, -0.125]) }],
  ['a value to start from', ['LEQ', 'LEQ'], { base_values: floats([0.25]) }],
  ['weights of the second class alone', ['LEQ', 'LT'], { class_ids: [1, 1, 1] }],
  [
    'weights of two classes at each leaf',
    ['LEQ', 'LT'],
    {
      class_treeids: [0, 0, 0, 0, 0, 0],
      class_nodeids: [2, 2, 3, 3, 4, 4],
      class_ids: [0, 1, 0, 1, 0, 1],
      class_weights: floats([0.25, 0.5, 0.5, 0.125, 1, 0]),
    },
  ],
  ['a threshold of zero', ['LT', 'LEQ'], { nodes_values: floats([0, 0.5, 0, 0, 0]) }],
  ['a negative threshold', ['LEQ', 'LT'], { nodes_values: floats([0.5, -0.5, 0, 0, 0]) }],
])('reads an ensemble with %s', async (_, modes, more) => {
  expect(await agrees(ensemble(modes, more))).toBeDefined();
});

it.each([
  ['of another link', ensemble(['LEQ', 'LEQ'], { post_transform: 'LOGISTIC' })],
  ['that weighs the second class at some leaves', ensemble(['LEQ', 'LT'], { class_ids: [0, 1, 0] })],
  ['that compares for equality', ensemble(['LEQ', 'EQ'])],
])('leaves a model alone %s', async (_, path) => {
  expect(await agrees(path)).toBeUndefined();
});

it('offers no trees of models that are none', async () => {
  const model = await openOnnx('fixtures/sklearn/logreg-3.onnx', { bounds: [0, 1], trial: false });
  expect(model.trees).toBeUndefined();
  await model.close();
});

it.each([
  ['a node that is missing', { nodes_truenodeids: [1, 9, 0, 0, 0] }],
  ['a node that leads back', { nodes_truenodeids: [1, 0, 0, 0, 0] }],
])('refuses %s, if ONNX Runtime does not', async (_, more) => {
  await expect(openOnnx(ensemble(['LEQ', 'LEQ'], more), { bounds: [0, 1], trial: false })).rejects.toThrow(
    /^Unexpected .*, expected .*\. Export the model again\./,
  );
});
