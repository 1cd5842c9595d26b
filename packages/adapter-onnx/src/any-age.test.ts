import { LOSSES } from '@gauntlet/kit';
import { Graph, writeValueInfo } from '@gauntlet/onnx';
import { tensor } from '@gauntlet/tensor';
import { InferenceSession, Tensor as Native } from 'onnxruntime-node';
import { gradientFile, openOnnx } from './index.js';
import { floats, temporary } from './testing/files.js';

const folder = temporary();
afterAll(() => folder.remove());

const W = [
  [1, 2, 4],
  [8, 16, 32],
] as const;

/** How a model of scores = x^2 W may look; `x` is what its input is called. */
interface Look {
  readonly x?: string;
  readonly y?: string;
  readonly opset?: number;
  /** The product of a square and the weights. */
  readonly product?: (graph: Graph, square: string, weights: string) => string;
  readonly change?: (graph: Graph, weights: string) => void;
}

const LOOKS: Readonly<Record<string, Look>> = {
  'as it should be': {},
  'dead nodes': {
    change: (graph) => {
      const dead = graph.node('Det', [floats(graph, [2, 2], [1, 2, 3, 4])], {}, { name: 'dead' });
      graph.node('Exp', [graph.node('Hardmax', [graph.node('Unsqueeze', [dead, graph.ints([0])])])]);
    },
  },
  'unused initialisers': {
    change: (graph) => {
      floats(graph, [3], [1, 2, 3]);
      graph.constant({ dtype: 'int64', dims: [100], data: new BigInt64Array(100) });
    },
  },
  'initialisers that are inputs as well': {
    change: (graph, weights) => {
      graph.model.irVersion = 3n;
      graph.proto.input.push(writeValueInfo(weights, 'float32', [2, 3]));
    },
  },
  'operator set 9': {
    opset: 9,
    product: (graph, square, weights) =>
      graph.node(
        'Squeeze',
        [graph.node('MatMul', [graph.node('Unsqueeze', [square], { axes: [1] }), weights])],
        {
          axes: [1],
        },
      ),
  },
  'a branch that captures what lies outside': {
    product: (graph, square, weights) => {
      const branch = (op: string) => {
        const inner = Graph.empty(18);
        inner.nodes(op, [square, weights], 1, {}, { outputs: [`${op} inside`] });
        inner.output(`${op} inside`, 'float32');
        return { graph: inner.proto };
      };
      const always = graph.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(1) });
      return graph.node('If', [always], { then_branch: branch('MatMul'), else_branch: branch('Gemm') });
    },
  },
  'a loop that captures what lies outside': {
    product: (graph, square, weights) => {
      const inner = Graph.empty(18);
      inner.proto.input = [
        writeValueInfo('round', 'int64', []),
        writeValueInfo('go', 'bool', []),
        writeValueInfo('sum', 'float32'),
      ];
      inner.nodes('Identity', ['go'], 1, {}, { outputs: ['on'] });
      // Names of a subgraph must differ from those outside.
      const named = (op: string, inputs: readonly string[]) =>
        inner.nodes(op, inputs, 1, {}, { outputs: [`${op} inside`] })[0]!;
      const half = inner.constant({ dtype: 'float32', dims: [], data: Float32Array.of(0.5) }, 'half');
      const share = named('Mul', [named('MatMul', [square, weights]), half]);
      inner.nodes('Add', ['sum', share], 1, {}, { outputs: ['next'] });
      inner.proto.output = [writeValueInfo('on', 'bool', []), writeValueInfo('next', 'float32')];
      const rounds = graph.constant({ dtype: 'int64', dims: [], data: BigInt64Array.of(2n) });
      const zero = graph.node('Mul', [graph.node('MatMul', [square, weights]), graph.scalar('float32', 0)]);
      return graph.node('Loop', [rounds, '', zero], { body: { graph: inner.proto } });
    },
  },
  ...Object.fromEntries(
    ['a b/c:0', 'x;"y"|z', 'größe → 数', '../x', '__proto__', 'constructor', 'gradient', 'N', '0'].map(
      (x) => [`an input named ${x}`, { x }],
    ),
  ),
  'an output named labels': { y: 'labels' },
};

function fileOf({ x = 'x', y = 'y', opset = 18, product, change }: Look): string {
  return folder.model((graph) => {
    graph.input(x, 'float32', ['batch', 2]);
    const weights = floats(graph, [2, 3], W.flat());
    const square = graph.node('Mul', [x, x]);
    const made = product?.(graph, square, weights) ?? graph.node('MatMul', [square, weights]);
    change?.(graph, weights);
    graph.nodes('Identity', [made], 1, {}, { outputs: [y] });
    graph.output(y, 'float32', ['batch', 3]);
  }, opset);
}

const POINTS = [
  [1, 2],
  [0.5, -1],
] as const;
const LABELS = [0, 2];
const x = tensor(Float32Array.from(POINTS.flat()), [2, 2]);
/** Of margin, the best other score less the label's: class 2 leads; of class 2, class 1 is next. */
const EXPECTED = POINTS.flatMap((point, i) =>
  point.map((value, k) => 2 * value * (i === 0 ? W[k]![2] - W[k]![0] : W[k]![1] - W[k]![2])),
);

describe.each(Object.entries(LOOKS))('a model with %s', (_name, look) => {
  const goal = { kind: 'untargeted', classes: Int32Array.from(LABELS), confidence: 0 } as const;

  it('has the gradient that it has without', async () => {
    const model = await openOnnx(fileOf(look), { bounds: [0, 1], trial: false });
    if (!('gradient' in model)) throw new Error('no gradient');
    expect([...(await model.gradient(x, LOSSES.margin(goal))).gradient.data]).toEqual(EXPECTED);
    await model.close();
  });

  it('is written with it', async () => {
    const settings = { bounds: [0, 1], trial: false, wrt: 'input', loss: LOSSES.margin(goal).term } as const;
    const { bytes, inputs, outputs } = await gradientFile(fileOf(look), settings);
    expect(inputs[0]!.name).toBe(look.x ?? 'x');
    const session = await InferenceSession.create(folder.file('gradient.onnx', bytes));
    const feeds = Object.fromEntries([
      [inputs[0]!.name, new Native('float32', x.data, x.shape)],
      [inputs[1]!.name, new Native('int64', BigInt64Array.from(LABELS, BigInt), [2])],
    ]) as Record<string, Native>;
    const found = await session.run(feeds);
    expect([...(found[outputs[2]!.name]!.data as Float32Array)]).toEqual(EXPECTED);
    await session.release();
  });
});
