import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isGauntletError, type OpenModel } from '@gauntlet/core';
import { crossEntropy } from '@gauntlet/kit';
import { Graph, int64s, TensorProto_DataLocation, writeValueInfo } from '@gauntlet/onnx';
import { stream, tensor, type Tensor } from '@gauntlet/tensor';
import adapter, { openOnnx } from './index.js';
import type { OpenOnnxSettings } from './open.js';
import { importRuntime } from './runtime.js';
import { chain, floats, temporary } from './testing/files.js';

const DIGITS = fileURLToPath(new URL('../../../examples/digits/digits.onnx', import.meta.url));
const folder = temporary();
afterAll(() => folder.remove());

const open = (path: string, settings: Partial<OpenOnnxSettings> = {}) =>
  openOnnx(path, { bounds: [0, 1], trial: false, ...settings }) as Promise<OpenModel<'gradients'>>;

const random = (...shape: number[]): Tensor => {
  const numbers = stream('open', ...shape);
  const size = shape.reduce((product, n) => product * n, 1);
  return tensor(
    Float32Array.from({ length: size }, () => numbers.normal()),
    shape,
  );
};
const constant = (graph: Graph, ...shape: number[]) => floats(graph, shape, [...random(...shape).data]);
const dense = (graph: Graph, x: string, from: number, to: number) =>
  graph.node('Gemm', [x, constant(graph, from, to), constant(graph, to)]);
const loss = (...classes: number[]) =>
  crossEntropy({ kind: 'untargeted', classes: Int32Array.from(classes), confidence: 0 });
const expectClose = (a: Tensor, b: Tensor, digits = 5) => {
  expect(a.shape).toEqual(b.shape);
  a.data.forEach((value, i) => expect(value).toBeCloseTo(b.data[i]!, digits));
};

/** Opens both files and expects the same scores and gradients, but for a rounding error. */
async function expectSame(
  a: string,
  b: string,
  x: Tensor,
  settings: [Partial<OpenOnnxSettings>?, Partial<OpenOnnxSettings>?] = [],
) {
  const [left, right] = await Promise.all([open(a, settings[0]), open(b, settings[1])]);
  const classes = Array.from({ length: x.shape[0]! }, (_, i) => i % left.classes);
  const found = await left.gradient(x, loss(...classes));
  const expected = await right.gradient(x, loss(...classes));
  expectClose(found.scores, expected.scores);
  expectClose(await left.scores(x), expected.scores);
  expectClose(found.gradient, expected.gradient);
  await Promise.all([left.close(), right.close()]);
}

describe('the adapter', () => {
  it('opens .onnx files', () => {
    expect([adapter.opens('a/b.ONNX'), adapter.opens('a/b.pt')]).toEqual([true, false]);
  });

  it('tells how to install a runtime that is missing', async () => {
    const missing = Object.assign(new Error('gone'), { code: 'ERR_MODULE_NOT_FOUND' });
    await expect(importRuntime(() => Promise.reject(missing))).rejects.toThrow(
      'Unexpected missing onnxruntime-node at the node_modules folder, expected ONNX Runtime, which runs .onnx files. Install it with: npm install onnxruntime-node --onnxruntime-node-install=skip',
    );
    await expect(importRuntime(() => Promise.reject(new Error('no libstdc++')))).rejects.toThrow(
      'broken onnxruntime-node (no libstdc++)',
    );
  });
});

describe('batches', () => {
  const body = (graph: Graph, x: string) => dense(graph, graph.node('Tanh', [dense(graph, x, 6, 8)]), 8, 4);
  const anySize = () => folder.model(chain(['N', 6], body));

  it('calls are cut to the memory that they may take, which changes no answer', async () => {
    // 8 + 8 + 4 numbers of 4 bytes; three times as much for gradients.
    const [roomy, tight] = [await open(anySize()), await open(anySize(), { memory: 1000 })];
    expect(roomy.callSize).toBeGreaterThan(1e6);
    expect(tight.callSize).toBe(Math.floor(1000 / (3 * 80)));
    expect((await open(anySize(), { memory: 1 })).callSize).toBe(1);
    await expectSame(anySize(), anySize(), random(50, 6), [{ memory: 1000 }]);
  });

  it.each([1, 3])('a model for batches of %p runs any number of samples, and says so', async (size) => {
    const notices: string[] = [];
    const fixed = folder.model(chain([size, 6], body));
    await expectSame(fixed, anySize(), random(7, 6), [{ onNotice: (notice) => notices.push(notice) }]);
    expect(notices).toEqual([expect.stringContaining(`was exported for batches of ${size}`)]);
  });

  it('a model that only says that it takes any batch is run one by one', async () => {
    const rigid = folder.model(
      chain(['N', 6], (graph, x) => body(graph, graph.node('Reshape', [x, graph.ints([1, 6])]))),
    );
    await expectSame(rigid, anySize(), random(3, 6));
  });

  it('no samples are no work', async () => {
    const model = await open(anySize());
    expect((await model.scores(tensor(new Float32Array(0), [0, 6]))).shape).toEqual([0, 4]);
    await model.close();
  });

  it('samples of another shape are refused', async () => {
    const model = await open(anySize());
    await expect(model.scores(random(2, 7))).rejects.toThrow(
      /Unexpected samples of shape \[7\] at .*, expected \[6\]/,
    );
    await model.close();
  });
});

describe('mean and standard deviation', () => {
  const conv = (graph: Graph, x: string) =>
    graph.node('Flatten', [
      graph.node('GlobalAveragePool', [
        graph.node('Relu', [graph.node('Conv', [x, constant(graph, 5, 3, 3, 3)])]),
      ]),
    ]);
  const within = (dims: number[], body: typeof conv) => (graph: Graph, x: string) =>
    body(
      graph,
      graph.node('Div', [
        graph.node('Sub', [x, floats(graph, dims, [0.1, 0.2, 0.3])]),
        floats(graph, dims, [0.5, 2, 4]),
      ]),
    );
  const channelsLast = (graph: Graph, x: string) =>
    conv(graph, graph.node('Transpose', [x], { perm: [0, 3, 1, 2] }));
  const settings = { mean: [0.1, 0.2, 0.3], std: [0.5, 2, 4] };

  it.each([
    ['channels first', [3, 5, 6], [1, 3, 1, 1], conv],
    ['channels last', [5, 6, 3], [1, 1, 1, 3], channelsLast],
  ])('per channel, %s', async (_, shape, dims, body) => {
    const dynamic = ['N', ...shape];
    await expectSame(
      folder.model(chain(dynamic, body)),
      folder.model(chain(dynamic, within(dims, body))),
      random(4, ...shape),
      [settings],
    );
  });

  it('one number each', async () => {
    const shape = ['N', 3, 5, 6];
    const scaled = (graph: Graph, x: string) =>
      conv(
        graph,
        graph.node('Div', [graph.node('Sub', [x, floats(graph, [], [0.5])]), floats(graph, [], [0.25])]),
      );
    await expectSame(
      folder.model(chain(shape, conv)),
      folder.model(chain(shape, scaled)),
      random(2, 3, 5, 6),
      [{ mean: [0.5], std: [0.25] }],
    );
  });

  it.each([
    ['a deviation of zero', { std: [0] }],
    ['two means for three channels', { mean: [0, 1] }],
    ['NaN', { mean: [NaN] }],
    ['three means and two deviations', { mean: [1, 2, 3], std: [1, 2] }],
  ])('%s is refused', async (_, wrong) => {
    await expect(open(folder.model(chain(['N', 3, 5, 6], conv)), wrong)).rejects.toThrow(
      /^Unexpected mean \[.*\] and standard deviation \[.*\] at .* Set --mean and --std/,
    );
  });
});

describe('scores', () => {
  const plain = (graph: Graph, x: string) => dense(graph, x, 6, 4);
  const logits = () => folder.model(chain(['N', 6], plain));
  const endings: Record<string, (graph: Graph, z: string) => string> = {
    Softmax: (graph, z) => graph.node('Softmax', [z], { axis: -1 }),
    Sigmoid: (graph, z) => graph.node('Sigmoid', [z]),
    'Softmax, Identity, Dropout': (graph, z) =>
      graph.node('Dropout', [graph.node('Identity', [graph.node('Softmax', [z])])]),
    'Softmax over [N, C, 1, 1], Flatten': (graph, z) =>
      graph.node('Flatten', [
        graph.node('Softmax', [graph.node('Unsqueeze', [z, graph.ints([2, 3])])], { axis: 1 }),
      ]),
    'Softmax over [N, C, 1, 1], Squeeze': (graph, z) =>
      graph.node('Squeeze', [
        graph.node('Softmax', [graph.node('Unsqueeze', [z, graph.ints([2, 3])])], { axis: 1 }),
        graph.ints([2, 3]),
      ]),
    'logits of shape [N, C, 1, 1]': (graph, z) => graph.node('Unsqueeze', [z, graph.ints([2, 3])]),
    Reshape: (graph, z) => graph.node('Reshape', [graph.node('Softmax', [z]), graph.ints([-1, 4])]),
  };

  it.each(Object.entries(endings))('%s ends in the logits', async (_, ending) => {
    const ended = folder.model(chain(['N', 6], (graph, x) => ending(graph, plain(graph, x))));
    await expectSame(ended, logits(), random(5, 6));
  });

  it('a Softmax within the model stays', async () => {
    const inner = folder.model(
      chain(['N', 6], (graph, x) => dense(graph, graph.node('Softmax', [plain(graph, x)]), 4, 3)),
    );
    const model = await open(inner);
    const p = [3, 1, 4, 1, 5, 9].map((v) => v / 10);
    expect((await model.scores(tensor(Float32Array.from(p), [1, 6]))).shape).toEqual([1, 3]);
    await model.close();
  });

  it.each([
    ['a logit [N, 1]', (_: Graph, z: string) => z],
    ['a probability [N, 1]', (graph: Graph, z: string) => graph.node('Sigmoid', [z])],
    [
      'a probability [N]',
      (graph: Graph, z: string) => graph.node('Squeeze', [graph.node('Sigmoid', [z]), graph.ints([1])]),
    ],
    [
      '1 - p and p',
      (graph: Graph, z: string) => {
        const p = graph.node('Sigmoid', [z]);
        return graph.node('Concat', [graph.node('Sub', [graph.scalar('float32', 1), p]), p], { axis: 1 });
      },
    ],
  ])('%s becomes logits [0, z]', async (_, ending) => {
    const one = (graph: Graph, x: string) => dense(graph, x, 6, 1);
    const both = folder.model(
      chain(['N', 6], (graph, x) => {
        const z = one(graph, x);
        return graph.node('Concat', [graph.node('Mul', [z, graph.scalar('float32', 0)]), z], { axis: 1 });
      }),
    );
    await expectSame(
      folder.model(chain(['N', 6], (graph, x) => ending(graph, one(graph, x)))),
      both,
      random(5, 6),
    );
  });

  it('p and 1 - p become logits [z, 0]', async () => {
    const path = folder.model(
      chain(['N', 6], (graph, x) => {
        const p = graph.node('Sigmoid', [dense(graph, x, 6, 1)]);
        return graph.node('Concat', [p, graph.node('Sub', [graph.scalar('float32', 1), p])], { axis: 1 });
      }),
    );
    const model = await open(path);
    const scores = await model.scores(random(5, 6));
    scores.data.forEach((value, i) => i % 2 === 1 && expect(value).toBe(0));
    await model.close();
  });

  it('are no labels', async () => {
    const path = folder.model((graph) => {
      const z = plain(graph, graph.input('x', 'float32', ['N', 6]));
      graph.nodes('Identity', [z], 1, {}, { outputs: ['logits'] });
      graph.nodes('ArgMax', [z], 1, { axis: 1 }, { outputs: ['label'] });
      graph.output('label', 'int64');
      graph.output('logits', 'float32');
    });
    const model = await open(path);
    expect(model.classes).toBe(4);
    await model.close();
    await expect(open(path, { output: 'label' })).rejects.toThrow(
      /^Unexpected int64 scores of shape \[N, 1\] at/,
    );
  });

  it('are taken from the output that is named', async () => {
    const two = (graph: Graph) => {
      const x = graph.input('x', 'float32', ['N', 6]);
      graph.nodes('Gemm', [x, constant(graph, 6, 4), constant(graph, 4)], 1, {}, { outputs: ['first'] });
      graph.nodes('Gemm', [x, constant(graph, 6, 3), constant(graph, 3)], 1, {}, { outputs: ['second'] });
      graph.output('first', 'float32');
      graph.output('second', 'float32');
    };
    const path = folder.model(two);
    const model = await open(path, { output: 'second' });
    expect(model.classes).toBe(3);
    await model.close();
    await expect(open(path)).rejects.toThrow(
      /^Unexpected 2 outputs that could be scores \(first, second\) at .*, expected one\. Name the output/,
    );
    await expect(open(path, { output: 'third' })).rejects.toThrow(
      /^Unexpected output "third" at .*expected one of its outputs \(first, second\)/,
    );
  });
});

describe('inputs', () => {
  it.each(['float16', 'float64'] as const)('%s samples are cast', async (dtype) => {
    const body = (graph: Graph, x: string) => {
      const wide = graph.node('Cast', [graph.node('Mul', [x, x])], { to: 1 });
      return dense(graph, wide, 6, 3);
    };
    const narrow = folder.model(chain(['N', 6], body, { dtype }));
    const model = await open(narrow);
    const reference = await open(folder.model(chain(['N', 6], body)));
    const x = random(3, 6);
    expectClose(await model.scores(x), await reference.scores(x), 1);
    expectClose(
      (await model.gradient(x, loss(0, 1, 2))).gradient,
      (await reference.gradient(x, loss(0, 1, 2))).gradient,
      1,
    );
    await Promise.all([model.close(), reference.close()]);
  });

  it('of open size take the shape of the data', async () => {
    const body = (graph: Graph, x: string) =>
      graph.node('Flatten', [
        graph.node('GlobalAveragePool', [graph.node('Conv', [x, constant(graph, 4, 2, 3, 3)])]),
      ]);
    const path = folder.model(chain(['N', 2, 'height', 'width'], body));
    await expectSame(path, folder.model(chain(['N', 2, 7, 9], body)), random(3, 2, 7, 9), [
      { shape: [2, 7, 9] },
    ]);
    await expect(open(path)).rejects.toThrow(
      /^Unexpected input of shape \[N, 2, height, width\] at "x" of .*pass data of the right rank/,
    );
  });

  it('that are constants as well are constants', async () => {
    const path = folder.model((graph) => {
      const x = graph.input('x', 'float32', ['N', 2]);
      const w = floats(graph, [2, 2], [1, 2, 3, 4]);
      graph.proto.input.push(writeValueInfo(w, 'float32', [2, 2]));
      graph.nodes('MatMul', [x, w], 1, {}, { outputs: ['y'] });
      graph.output('y', 'float32');
    });
    const model = await open(path);
    expect([...(await model.scores(tensor(Float32Array.of(1, 1), [1, 2]))).data]).toEqual([4, 6]);
    await model.close();
  });
});

describe('loops', () => {
  it('over the steps of a sequence have the gradients of what they stand for', async () => {
    // state = tanh(step + state), over the steps of x [N, 3, 4]
    const step = Graph.empty(18);
    for (const name of ['state', 'step']) step.input(name, 'float32', ['N', 4]);
    step.output(step.node('Tanh', [step.node('Add', ['state', 'step'])]), 'float32', ['N', 4]);
    const body = { body: { graph: step.proto }, num_scan_inputs: 1, scan_input_axes: [1] };
    const zero = (graph: Graph, x: string) =>
      graph.node('Mul', [take(graph, x, 0), graph.scalar('float32', 0)]);
    const take = (graph: Graph, x: string, i: number) =>
      graph.node('Gather', [x, graph.constant(int64s([i], []))], { axis: 1 });
    const scanned = chain(['N', 3, 4], (graph, x) => graph.node('Scan', [zero(graph, x), x], body));
    const written = chain(['N', 3, 4], (graph, x) =>
      [0, 1, 2].reduce(
        (state, i) => graph.node('Tanh', [graph.node('Add', [state, take(graph, x, i)])]),
        zero(graph, x),
      ),
    );
    await expectSame(folder.model(scanned), folder.model(written), random(3, 3, 4));
  });
});

describe('a model with an op that has no gradient', () => {
  it('offers scores, and says which op is in the way', async () => {
    const notices: string[] = [];
    const path = folder.model(
      chain(['N', 6], (graph, x) => {
        const angle = graph.node(
          'Det',
          [graph.node('Reshape', [dense(graph, x, 6, 16), graph.ints([-1, 4, 2, 2])])],
          {},
          { name: 'area' },
        );
        return graph.node('Add', [angle, dense(graph, x, 6, 4)]);
      }),
    );
    const model = await open(path, { onNotice: (notice) => notices.push(notice) });
    expect(model.access).toBe('scores');
    expect('gradient' in model).toBe(false);
    expect((await model.labels(random(3, 6))).length).toBe(3);
    expect(notices).toEqual([
      expect.stringMatching(
        /offers no gradients, so only score- and label-based attacks run\. Unexpected op Det at node "area" \(Det\)/,
      ),
    ]);
    await model.close();
  });
});

describe('bad files', () => {
  const external = (location: string, more: Record<string, string> = {}) =>
    folder.model((graph) => {
      chain(['N', 6], (inner, x) => dense(inner, x, 6, 4))(graph);
      const weight = graph.proto.initializer[0]!;
      weight.rawData = new Uint8Array();
      weight.dataLocation = TensorProto_DataLocation.EXTERNAL;
      weight.externalData = Object.entries({ location, ...more }).map(([key, value]) => ({
        $typeName: 'onnx.StringStringEntryProto',
        key,
        value,
      }));
    });
  const digits = readFileSync(DIGITS);
  const inner = join(folder.path, 'inner');
  mkdirSync(inner);
  writeFileSync(join(folder.path, 'weights.bin'), new Uint8Array(96));
  writeFileSync(join(folder.path, 'short.bin'), new Uint8Array(90));
  symlinkSync('/etc/hostname', join(folder.path, 'link.bin'));

  const bad: Record<string, [() => string, RegExp]> = {
    'no file': [
      () => join(folder.path, 'nothing.onnx'),
      /^Unexpected missing file at .*nothing\.onnx, expected an ONNX model\. Check the path\./,
    ],
    'a folder': [() => folder.path, /^Unexpected something other than a file at/],
    'an empty file': [
      () => folder.file('empty.onnx', ''),
      /^Unexpected content at .*empty\.onnx, expected an ONNX model/,
    ],
    'a text file': [
      () => folder.file('text.onnx', 'hello, this is no model'),
      /^Unexpected (content|end) at .*text\.onnx, expected/,
    ],
    'half a file': [
      () => folder.file('half.onnx', digits.subarray(0, digits.length / 2)),
      /^Unexpected end at .*half\.onnx, expected a whole ONNX model/,
    ],
    'external data that is missing': [
      () => external('nowhere.bin'),
      /^Unexpected missing external data "nowhere\.bin" at tensor "const_\d+" of .*Copy it there/,
    ],
    'external data above the folder': [
      () => external('../secret.bin'),
      /^Unexpected external data in "\.\.\/secret\.bin" at tensor/,
    ],
    'external data at an absolute path': [
      () => external('/etc/passwd'),
      /^Unexpected external data in "\/etc\/passwd" at tensor/,
    ],
    'external data behind a link': [
      () => external('link.bin'),
      /^Unexpected external data in "link\.bin" at tensor/,
    ],
    'external data in a folder': [() => external('inner'), /^Unexpected external data in "inner"/],
    'external data without a place': [() => external(''), /^Unexpected external data in "" at tensor/],
    'external data that ends too early': [
      () => external('weights.bin', { offset: '90', length: '96' }),
      /^Unexpected external data at bytes 90 to 186 of 96/,
    ],
    'external data of the wrong size': [() => external('short.bin'), /^Unexpected .*const_\d+/],
    'external data at a negative place': [
      () => external('weights.bin', { offset: '-8' }),
      /^Unexpected external data at bytes -8/,
    ],
    'two inputs': [
      () =>
        folder.model((graph) => {
          const [a, b] = [graph.input('a', 'float32', ['N', 4]), graph.input('b', 'float32', ['N', 4])];
          graph.nodes('Add', [a, b], 1, {}, { outputs: ['y'] });
          graph.output('y', 'float32');
        }),
      /^Unexpected 2 inputs \("a", "b"\) at .*, expected a model with one input/,
    ],
    'names that steer the terminal': [
      () =>
        folder.model((graph) => {
          const [a, b] = [
            graph.input('a\u001b[2J', 'float32', ['N', 4]),
            graph.input('b\n\u202e', 'float32', ['N', 4]),
          ];
          graph.nodes('Add', [a, b], 1, {}, { outputs: ['y'] });
          graph.output('y', 'float32');
        }),
      /^Unexpected 2 inputs \("a\?\[2J", "b\?"\) at/,
    ],
    'an input without a batch axis': [
      () => folder.model(chain([6], (graph, x) => graph.node('Relu', [x]))),
      /^Unexpected input of shape \[6\] at "x" of/,
    ],
    'an input of integers': [
      () =>
        folder.model(
          chain(['N', 6], (graph, x) => dense(graph, graph.node('Cast', [x], { to: 1 }), 6, 4), {
            dtype: 'uint8',
          }),
        ),
      /^Unexpected input of type uint8 at "x" of .*, expected a batch of float32, float16 or float64 samples/,
    ],
    'an absurd input': [
      () => folder.model(chain(['N', 2 ** 40], (graph, x) => graph.node('Relu', [x]))),
      /^Unexpected input of shape \[N, 1099511627776\]/,
    ],
    'scores with three axes': [
      () => folder.model(chain(['N', 6, 5], (graph, x) => graph.node('Relu', [x]))),
      /^Unexpected float32 scores of shape \[N, 6, 5\] at/,
    ],
    'scores without the batch': [
      () =>
        folder.model(
          chain(['N', 6], (graph, x) => graph.node('ReduceMean', [x, graph.ints([0])], { keepdims: 0 })),
        ),
      /^Unexpected float32 scores of shape \[6\] at .*, expected one row of float class scores per sample/,
    ],
    'as many scores as samples': [
      () =>
        folder.model(chain(['N', 6], (graph, x) => graph.node('MatMul', [x, graph.node('Transpose', [x])]))),
      /^Unexpected float32 scores of shape \[N, N\] at/,
    ],
    'no score': [
      () =>
        folder.model(
          chain(['N', 6], (graph, x) => graph.node('Slice', [x, ...[0, 0, 1].map((at) => graph.ints([at]))])),
        ),
      /^Unexpected float32 scores of shape \[N, 0\] at/,
    ],
    'labels only': [
      () =>
        folder.model((graph) => {
          graph.nodes(
            'ArgMax',
            [graph.input('x', 'float32', ['N', 6])],
            1,
            { axis: 1 },
            { outputs: ['label'] },
          );
          graph.output('label', 'int64', ['N', 1]);
        }),
      /^Unexpected 0 outputs that could be scores \(label\) at/,
    ],
    'an op that nobody knows': [
      () => folder.model(chain(['N', 6], (graph, x) => graph.node('Frobnicate', [x]))),
      /^Unexpected model that ONNX Runtime refuses to load \(.*Frobnicate.*\) at .*, expected a valid ONNX model\. Export the model again\.$/,
    ],
    'an old operator set': [
      () =>
        folder.model(
          chain(['N', 6], (graph, x) => dense(graph, x, 6, 4)),
          6,
        ),
      /Unexpected operator set 6 at/,
    ],
    'a cycle': [
      () =>
        folder.model((graph) => {
          const x = graph.input('x', 'float32', ['N', 6]);
          graph.nodes('Add', [x, 'b'], 1, {}, { outputs: ['a'] });
          graph.proto.node.push({ ...graph.proto.node[0]!, input: ['a', x], output: ['b'] });
          graph.output('b', 'float32');
        }),
      /^Unexpected .*(cycle|acyclic|refuses to load)/,
    ],
    'a weight of the wrong shape': [
      () => folder.model(chain(['N', 6], (graph, x) => dense(graph, x, 7, 4))),
      /^Unexpected model that ONNX Runtime (refuses to load|fails to run)/,
    ],
  };

  it.each(Object.entries(bad))('%s', async (_, [make, sentence]) => {
    const error: unknown = await open(make()).catch((thrown: unknown) => thrown);
    expect(isGauntletError(error)).toBe(true);
    const { message, code } = error as Error & { code: string };
    expect(message).toMatch(sentence);
    expect(message).not.toMatch(/\n|undefined|\/onnxruntime\//);
    expect(['input', 'unsupported']).toContain(code);
  });

  it('external data beside the model is read', async () => {
    const model = await open(external('weights.bin'));
    const { data } = await model.scores(random(1, 6));
    expect(data.length).toBe(4);
    expect(model.files).toEqual(['weights.bin']);
    await model.close();
  });
});
