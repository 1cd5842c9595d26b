import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ModelProto, Tensor } from '@gauntlet/onnx';
import { Graph, numbersOf, readModel, upgrade } from '@gauntlet/onnx';

import { differentiate } from './index.js';
import { retyped } from './testing/node-tests.js';
import { readNpz } from './testing/npz.js';
import { learnTypes, relativeError, run } from './testing/run.js';

const FOLDER = join(import.meta.dirname, '../../../fixtures/models');
const files = existsSync(FOLDER) ? readdirSync(FOLDER) : [];
const models = files
  .flatMap((file) => (file.endsWith('.npz') ? [file.slice(0, -4)] : []))
  .filter((name) => files.includes(`${name}.onnx`) && readNpz(join(FOLDER, `${name}.npz`)).has('loss'));

/** Samples from..to of a batch. */
function samples({ dtype, dims, data }: Tensor, from: number, to: number): Tensor {
  const size = dims.slice(1).reduce((product, dim) => product * dim, 1);
  const part = (data as Float32Array).slice(from * size, to * size);
  return { dtype, dims: [to - from, ...dims.slice(1)], data: part };
}

/** The logits: the output, or what goes into the last Softmax if the model ends in one. */
function logitsOf(graph: Graph): string {
  const output = graph.source(graph.proto.output[0]!.name);
  const last = graph.producer(output);
  return last?.opType === 'Softmax' ? last.input[0]! : output;
}

/** Appends cross-entropy and its input gradient; the shapes come from runs of one and two samples. */
async function attackGraph(model: ModelProto, x: Tensor, lowering: 'blocked' | 'plain') {
  const graph = new Graph(upgrade(model));
  const input = graph.proto.input[0]!.name;
  const shapes = await learnTypes(model, new Map([[input, samples(x, 0, 1)]]));
  const y = graph.input('labels', 'int64', shapes.get(input)!.dims.slice(0, 1));
  const rows = graph.node(
    'GatherElements',
    [graph.node('LogSoftmax', [logitsOf(graph)], { axis: 1 }), graph.node('Unsqueeze', [y, graph.ints([1])])],
    { axis: 1 },
  );
  const loss = graph.node('Neg', [graph.node('Squeeze', [rows, graph.ints([1])])]);
  const gradient = differentiate(graph, { of: loss, wrt: [input], shapes, lowering }).get(input)!;
  graph.output(loss, x.dtype);
  graph.output(gradient, x.dtype);
  return { input, labels: y, loss, gradient };
}

describe.each(['blocked', 'plain'] as const)('whole models against PyTorch, %s lowering', (lowering) => {
  test.each(models)('%s', async (name) => {
    const record = readNpz(join(FOLDER, `${name}.npz`));
    const model = readModel(readFileSync(join(FOLDER, `${name}.onnx`)));
    const [x, y] = [record.get('x')!, record.get('y')!];
    const { input, labels, loss, gradient } = await attackGraph(model, x, lowering);
    const size = name.includes('batch1') ? 1 : x.dims[0]!;
    for (let at = 0; at < x.dims[0]!; at += size) {
      const feeds = new Map([
        [input, samples(x, at, at + size)],
        [labels, samples(y, at, at + size)],
      ]);
      const found = await run(model, feeds, [loss, gradient]);
      expect(relativeError(found.get(loss)!, samples(record.get('loss')!, at, at + size))).toBeLessThan(1e-4);
      expect(
        relativeError(found.get(gradient)!, samples(record.get('gradient')!, at, at + size)),
      ).toBeLessThan(1e-4);
    }
  });
});

test.each(
  [
    'resnet resnext densenet mobilenet-v2 mobilenet-v3 efficientnet shufflenet squeezenet regnet',
    'convnext vit swin mixer lstm unet',
  ].flatMap((line) => line.split(' ')),
)('%s is there as both exporters write it', (name) => {
  expect(models).toEqual(expect.arrayContaining([`${name}-dynamo`, `${name}-torchscript`]));
});

describe('whole models of other float types', () => {
  test.each([
    ['cnn-dynamo', 'float16'],
    ['mobilenet-v3-dynamo', 'float16'],
    ['efficient-dynamo', 'float16'],
    ['convnext-dynamo', 'float16'],
    ['vit-opset23-dynamo', 'float16'],
    ['grouped-opset23-dynamo', 'float16'],
    ['swin-dynamo', 'float16'],
    ['swin-torchscript', 'float16'],
    ['unet-dynamo', 'float16'],
    ['unet-torchscript', 'float16'],
    ['mlp-small-dynamo', 'float64'],
  ] as const)('%s in %s', async (name, dtype) => {
    const record = readNpz(join(FOLDER, `${name}.npz`));
    const original = readModel(readFileSync(join(FOLDER, `${name}.onnx`)));
    const { model, feeds } = retyped({ model: original, feeds: new Map([['x', record.get('x')!]]) }, dtype);
    const x = feeds.get('x')!;
    const { input, labels, loss, gradient } = await attackGraph(model, x, 'blocked');
    const found = await run(
      model,
      new Map([
        [input, x],
        [labels, record.get('y')!],
      ]),
      [loss, gradient],
    );
    // In float16 a few activations change sides, so that the largest difference says little.
    const expected = numbersOf(record.get('gradient')!);
    const difference = Math.hypot(...numbersOf(found.get(gradient)!).map((value, i) => value - expected[i]!));
    expect(difference / Math.hypot(...expected)).toBeLessThan(dtype === 'float16' ? 0.03 : 1e-6);
  });
});
