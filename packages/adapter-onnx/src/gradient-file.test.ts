import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { GradientFile, GradientModel } from '@gauntlet/core';
import { crossEntropy, LOSSES } from '@gauntlet/kit';
import { type Dim, Graph, opsetOf, readModel, sortNodes } from '@gauntlet/onnx';
import { rows, type Tensor, tensor } from '@gauntlet/tensor';
import { InferenceSession, Tensor as Native } from 'onnxruntime-node';
import { gradientFile, type OnnxGradientSettings, openOnnx } from './index.js';
import { chain, floats, temporary } from './testing/files.js';
import { readNpz } from './testing/npz.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const folder = temporary();
afterAll(() => folder.remove());

const goal = (...classes: number[]) =>
  ({ kind: 'untargeted', classes: Int32Array.from(classes), confidence: 0 }) as const;
const make = (path: string, settings: Partial<OnnxGradientSettings> = {}) =>
  gradientFile(path, {
    bounds: [0, 1],
    trial: false,
    loss: crossEntropy(goal()).term,
    wrt: 'input',
    ...settings,
  });

const singles = ({ data, shape }: Tensor) => new Native('float32', data, shape);
const integers = (values: readonly number[], dims = [values.length]) =>
  new Native('int64', BigInt64Array.from(values, BigInt), dims);

/** Runs a gradient file that was written to a disk, as any program would. */
async function run({ bytes, inputs }: GradientFile, x: Tensor, y: readonly number[]) {
  const [input, labels] = inputs.map(({ name }) => name) as [string, string];
  return runOn(bytes, { [input]: singles(x), [labels]: integers(y) });
}

async function runOn(bytes: Uint8Array, feeds: InferenceSession.FeedsType) {
  const session = await InferenceSession.create(folder.file('gradient.onnx', bytes));
  const outputs = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, dims }]) => [name, tensor(data as Float32Array, [...dims])]),
  );
}

const distance = (a: Float32Array, b: Float32Array) =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0));
const relative = (a: Float32Array, b: Float32Array) =>
  distance(a, b) / distance(b, new Float32Array(b.length));

/** What ONNX's checker looks at, and more: order, names, types, operator sets. */
function expectWellFormed({ bytes }: GradientFile): void {
  const model = readModel(bytes);
  const { node, input, output, initializer, valueInfo } = model.graph!;
  const order = [...node];
  sortNodes(model.graph!);
  expect(model.graph!.node).toEqual(order);
  for (const named of [input, output, initializer, valueInfo]) {
    expect(new Set(named.map(({ name }) => name)).size).toBe(named.length);
  }
  for (const { type } of [...input, ...output]) expect(type?.value.case).toBe('tensorType');
  expect(model.opsetImport.map(({ domain }) => domain)).toEqual(['']);
  expect(new Set(node.map(({ domain }) => domain))).toEqual(new Set(['']));
  expect(opsetOf(model)).toBeGreaterThanOrEqual(18);
  expect(model.irVersion).toBeGreaterThanOrEqual(8n);
}

describe('by the input', () => {
  it.each([
    ['digits', 'examples/digits/digits.onnx'],
    ['cnn-batch1-torchscript'],
    ['cnn-binary-dynamo'],
    ['cnn-opset9-torchscript'],
    ['cnn-softmax-dynamo'],
    ['cnn-opset21-dynamo'],
    ['lstm-torchscript'],
    ['mobilenet-v2-dynamo'],
    ['residual-normalised-dynamo'],
    ['swin-torchscript'],
  ])(
    '%s gives the recorded gradient, which is that of the adapter',
    async (name, file = `fixtures/models/${name}.onnx`) => {
      const recorded = readNpz(`${ROOT}fixtures/models/${name}.npz`) as Record<string, Tensor>;
      const made = await make(`${ROOT}${file}`);
      expectWellFormed(made);
      const [, ...shape] = recorded['x']!.shape;
      const [batch] = made.inputs[0]!.dims;
      const count = typeof batch === 'number' ? batch : rows(recorded['x']!);
      const first = (of: Tensor) =>
        tensor(of.data.slice(0, (of.data.length / rows(of)) * count), [count, ...of.shape.slice(1)]);
      const [x, y] = [first(recorded['x']!), [...recorded['y']!.data.slice(0, count)]];
      const classes = recorded['logits']!.shape[1]!;
      const symbol = typeof batch === 'number' ? batch : 'N';
      const original = readModel(readFileSync(`${ROOT}${file}`)).graph!;
      expect(made.inputs).toEqual([
        { name: original.input[0]!.name, dtype: 'float32', dims: [symbol, ...shape] },
        { name: 'labels', dtype: 'int64', dims: [symbol] },
      ]);
      expect(made.outputs).toEqual([
        { name: 'scores', dtype: 'float32', dims: [symbol, classes] },
        { name: 'loss', dtype: 'float32', dims: [symbol] },
        { name: 'gradient', dtype: 'float32', dims: [symbol, ...shape] },
      ]);

      const found = await run(made, x, y);
      expect(Object.keys(found)).toEqual(['scores', 'loss', 'gradient']);
      for (const [output, truth] of [
        ['scores', 'logits'],
        ['loss', 'loss'],
        ['gradient', 'gradient'],
      ] as const)
        expect(relative(found[output]!.data, first(recorded[truth]!).data)).toBeLessThan(1e-4);
      expect(found['gradient']!.shape).toEqual(x.shape);
      const model = (await openOnnx(`${ROOT}${file}`, { bounds: [0, 1], trial: false })) as GradientModel;
      const { gradient } = await model.gradient(x, crossEntropy(goal(...y)));
      expect(relative(found['gradient']!.data, gradient.data)).toBeLessThan(1e-5);
    },
  );

  /** scores = (x - mean) / std W, so that the gradient of margin is (W[best other] - W[own]) / std. */
  const linear = () =>
    folder.model((graph) => {
      graph.input('loss', 'float32', ['batch', 2]);
      const w = floats(graph, [2, 3], [1, 2, 4, 8, 16, 32]);
      graph.nodes('MatMul', ['loss', w], 1, {}, { outputs: ['gradient'] });
      graph.nodes('Identity', ['gradient'], 1, {}, { outputs: ['labels'] });
      graph.nodes('Identity', ['labels'], 1, {}, { outputs: ['scores'] });
      graph.output('scores', 'float32', ['batch', 3]);
    });

  it('keeps the name of the input where nodes are put before it, and lets names inside step aside', async () => {
    const made = await make(linear(), { loss: LOSSES.margin(goal()).term, mean: [0.5, 1], std: [2, 4] });
    expectWellFormed(made);
    // The input's name is the model's own; it is the output that gives way.
    expect(made.inputs.map(({ name }) => name)).toEqual(['loss', 'labels']);
    expect(made.outputs.map(({ name }) => name)).toEqual(['scores', 'loss_0', 'gradient']);
    const found = await run(made, tensor(Float32Array.of(1, 2, 1, 2), [2, 2]), [2, 0]);
    expect([...found['scores']!.data]).toEqual([2.25, 4.5, 9, 2.25, 4.5, 9]);
    expect([...found['loss_0']!.data]).toEqual([-4.5, 6.75]);
    expect([...found['gradient']!.data]).toEqual([-2 / 2, -16 / 4, 3 / 2, 24 / 4]);
  });

  it('writes the lowering that is asked for', async () => {
    const ops = async (lowering?: 'blocked') => {
      const { bytes } = await make(`${ROOT}examples/digits/digits.onnx`, lowering && { lowering });
      return new Set(new Graph(readModel(bytes)).proto.node.map(({ opType }) => opType));
    };
    expect(await ops()).toContain('ConvTranspose');
    expect(await ops('blocked')).not.toEqual(await ops());
  });

  it('refuses an op without a gradient by its name', async () => {
    const path = folder.model(chain(['N', 2, 3, 3], (graph, x) => graph.node('Det', [x])));
    await expect(make(path)).rejects.toThrow(
      /^Unexpected op Det at .* of .*, expected one with a gradient rule/,
    );
  });
});

describe('of several inputs', () => {
  const W = [1, 2, 4, 8, 16, 32];
  /** scores = (a mask + b + c) W, where `b` is shared by all samples; `tokens` reach another output only. */
  const several = (sizes: readonly Dim[] = ['batch', 2]) =>
    folder.model((graph) => {
      graph.input('mask', 'int64', sizes);
      graph.input('a', 'float32', ['batch', 2]);
      graph.input('b', 'float32', [2]);
      graph.input('c', 'float16', ['rows', 2]);
      graph.input('tokens', 'bool', [3]);
      const masked = graph.node('Mul', ['a', graph.node('Cast', ['mask'], { to: 1 })]);
      const sum = graph.node('Add', [graph.node('Add', [masked, 'b']), graph.node('Cast', ['c'], { to: 1 })]);
      graph.nodes('MatMul', [sum, floats(graph, [2, 3], W)], 1, {}, { outputs: ['y'] });
      graph.nodes('Not', ['tokens'], 1, {}, { outputs: ['z'] });
      graph.output('y', 'float32', ['batch', 3]);
      graph.output('z', 'bool', [3]);
    });
  const loss = LOSSES.margin(goal()).term;
  const feeds = (dtype: 'float16' | 'float32') => ({
    mask: integers([1, 3, 1, 1], [2, 2]),
    a: new Native('float32', [1, 1, 1, 1], [2, 2]),
    b: new Native('float32', [1, 1], [2]),
    c:
      dtype === 'float16'
        ? new Native(dtype, new Uint16Array(4), [2, 2])
        : singles(tensor(new Float32Array(4), [2, 2])),
    tokens: new Native('bool', [true, false, true], [3]),
    labels: integers([2, 0]),
  });
  // The best other score of the first sample is that of class 1, of the second that of class 2.
  const [first, second] = [
    [2 - 4, 16 - 32],
    [4 - 1, 32 - 8],
  ] as const;
  const EXPECTED = {
    a: [first[0], 3 * first[1], ...second],
    b: [first[0] + second[0], first[1] + second[1]],
    c: [...first, ...second],
  };

  it('gives a gradient by each that holds floats, the sum over the batch for one without it', async () => {
    const made = await make(several(), { loss });
    expectWellFormed(made);
    expect(made.inputs).toEqual([
      { name: 'mask', dtype: 'int64', dims: ['N', 2] },
      { name: 'a', dtype: 'float32', dims: ['N', 2] },
      { name: 'b', dtype: 'float32', dims: [2] },
      { name: 'c', dtype: 'float32', dims: ['N', 2] },
      { name: 'tokens', dtype: 'bool', dims: [3] },
      { name: 'labels', dtype: 'int64', dims: ['N'] },
    ]);
    const found = await runOn(made.bytes, feeds('float32'));
    expect(Object.keys(found)).toEqual(['scores', 'loss', 'gradient/a', 'gradient/b', 'gradient/c']);
    for (const [name, values] of Object.entries(EXPECTED))
      expect([...found[`gradient/${name}`]!.data]).toEqual(values);
  });

  it.each([
    ['a', ['a'], ['gradient']],
    ['b', ['b'], ['gradient']],
    ['b and a', ['b', 'a'], ['gradient/a', 'gradient/b']],
  ])('gives one by %s alone, and leaves the others as they are', async (_name, inputs, names) => {
    const made = await make(several(), { loss, inputs });
    expect(made.inputs[3]).toEqual({ name: 'c', dtype: 'float16', dims: ['N', 2] });
    const found = await runOn(made.bytes, feeds('float16'));
    expect(Object.keys(found)).toEqual(['scores', 'loss', ...names]);
    names.forEach((name, i) =>
      expect([...found[name]!.data]).toEqual(EXPECTED[[...inputs].sort()[i] as keyof typeof EXPECTED]),
    );
  });

  it('is tried in a process of its own, as others are', async () => {
    const made = await make(several(), { loss, trial: true });
    expect(made.bytes).toEqual((await make(several(), { loss })).bytes);
  });

  it('takes all of them for gradients by the weights', async () => {
    const made = await make(several(), { loss, wrt: 'weights' });
    expect(made.inputs.map(({ name }) => name)).toEqual(['mask', 'a', 'b', 'c', 'tokens', 'labels']);
    expect(made.outputs.slice(2).map(({ dims }) => dims)).toEqual([[2, 3]]);
  });

  it.each<[string, () => string, Partial<OnnxGradientSettings>, RegExp]>([
    ['one that is not there', several, { inputs: ['d'] }, /input "d" at .*one of its inputs \("mask", "a"/],
    [
      'one of integers',
      several,
      { inputs: ['mask'] },
      /input of type int64 at "mask" of .*expected a batch of float32/,
    ],
    ['a mean for several', several, { mean: [1] }, /a mean or deviation for "a", "b", "c" at .*--input/],
    ['a mean for what is no batch', several, { mean: [1], inputs: ['b'] }, /a mean or deviation for "b" at/],
    [
      'an open size',
      () => several(['batch', 'any']),
      {},
      /shape \[batch, any\] at "mask" of .*sizes that are known/,
    ],
    [
      'none of floats',
      () =>
        folder.model((graph) => {
          const both = graph.node('Add', [
            graph.input('i', 'int64', ['N', 2]),
            graph.input('j', 'int64', ['N', 2]),
          ]);
          graph.nodes('Cast', [both], 1, { to: 1 }, { outputs: ['y'] });
          graph.output('y', 'float32', ['N', 2]);
        }),
      {},
      /no input of floats among "i", "j" at/,
    ],
  ])('refuses %s', async (_name, path, settings, message) => {
    const making = make(path(), settings);
    await expect(making).rejects.toThrow(message);
    await expect(making).rejects.toThrow(/^Unexpected [^\n]* at [^\n]*, expected [^\n]*\. [^\n]*\.$/);
  });

  it('is no model to audit', async () => {
    await expect(openOnnx(several(), { bounds: [0, 1], trial: false })).rejects.toThrow(
      /^Unexpected 5 inputs \("mask", "a", "b", "c", "tokens"\) at .*, expected a model with one input, the samples\. Export/,
    );
  });
});

describe('by the weights', () => {
  it('gives the gradient of the mean loss by each, under its own name, though ONNX Runtime would fold it away', async () => {
    // scores = (x W) s + b
    const [w, s, b] = [
      [1, -1, 0.5, 0.25],
      [2, 3],
      [0.5, -0.5],
    ] as const;
    const path = folder.model(
      chain(['N', 2], (graph, x) => {
        const unused = graph.constant({ dtype: 'float32', dims: [3], data: new Float32Array(3) }, 'unused');
        expect(unused).toBe('unused_0');
        const named = (name: string, dims: number[], data: readonly number[]) =>
          graph.constant({ dtype: 'float32', dims, data: Float32Array.from(data) }, name);
        const product = graph.node('MatMul', [x, named('w', [2, 2], w)]);
        return graph.node('Add', [graph.node('Mul', [product, named('s', [2], s)]), named('b', [2], b)]);
      }),
    );
    const made = await make(path, { wrt: 'weights' });
    expectWellFormed(made);
    expect(made.outputs.map(({ name }) => name)).toEqual([
      'scores',
      'loss',
      'gradient/w_0',
      'gradient/s_0',
      'gradient/b_0',
    ]);

    const [x, y] = [
      [
        [1, 2],
        [-1, 3],
        [0.5, 0],
      ],
      [0, 1, 1],
    ] as const;
    const found = await run(made, tensor(Float32Array.from(x.flat()), [3, 2]), y);
    const gradients = { w: [0, 0, 0, 0], s: [0, 0], b: [0, 0] };
    x.forEach((point, i) => {
      const u = [0, 1].map((k) => point[0] * w[k]! + point[1] * w[2 + k]!);
      const z = u.map((value, k) => Math.exp(value * s[k]! + b[k]!));
      for (const k of [0, 1]) {
        const g = (z[k]! / (z[0]! + z[1]!) - Number(y[i] === k)) / 3;
        gradients.b[k]! += g;
        gradients.s[k]! += g * u[k]!;
        for (const j of [0, 1]) gradients.w[2 * j + k]! += g * s[k]! * point[j]!;
      }
    });
    for (const [name, expected] of Object.entries(gradients)) {
      found[`gradient/${name}_0`]!.data.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
    }
  });

  it('gives one for each float initialiser of a network, of its shape', async () => {
    const path = `${ROOT}fixtures/models/residual-dynamo.onnx`;
    const made = await make(path, { wrt: 'weights' });
    expectWellFormed(made);
    const floatsOf = readModel(readFileSync(path)).graph!.initializer.filter(
      ({ dataType }) => dataType === 1,
    );
    const expected = floatsOf.map(({ name, dims }) => ({
      name: `gradient/${name}`,
      dtype: 'float32',
      dims: dims.map(Number),
    }));
    expect(expected.length).toBeGreaterThan(10);
    expect(made.outputs.slice(2)).toEqual(expected);
  });

  it('leaves out the scales of a Resize, which are no weights', async () => {
    const { outputs } = await make(`${ROOT}fixtures/models/unet-dynamo.onnx`, { wrt: 'weights' });
    expect(outputs.length).toBeGreaterThan(10);
    expect(outputs.filter(({ name }) => name.startsWith('gradient/val_'))).toEqual([]);
  });

  it('refuses a model that has none', async () => {
    await expect(make(`${ROOT}fixtures/sklearn/logreg-3.onnx`, { wrt: 'weights' })).rejects.toThrow(
      'Unexpected no float initialiser at',
    );
  });
});
