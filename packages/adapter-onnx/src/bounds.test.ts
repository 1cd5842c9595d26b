import {
  type AttributeValue,
  declaredTypes,
  Graph,
  type TensorType,
  writeModel,
  writeTensor,
} from '@gauntlet/onnx';
import { bound, propagate } from '@gauntlet/onnx-bounds';
import { inferTypes } from '@gauntlet/onnx-grad';
import { argmax, row, stream, type Tensor, tensor } from '@gauntlet/tensor';
import { openOnnx } from './open.js';
import { createSession, loadRuntime } from './runtime.js';

/** Appends an op to a graph over `x`; `more` makes a constant of random numbers in a range. */
type Build = (
  graph: Graph,
  x: string,
  more: (dims: readonly number[], low?: number, high?: number) => string,
) => string;

const POINTS = 40;

const { Tensor: Native } = await loadRuntime();
const native = ({ data, shape }: Tensor) => new Native('float32', data, shape);

function build(dims: readonly number[], body: Build) {
  const graph = Graph.empty(20);
  const x = graph.input('x', 'float32', ['N', ...dims]);
  const random = stream('weights', ...dims);
  const name = body(graph, x, (size, low = -1, high = 1) => {
    const data = Float32Array.from(
      { length: size.reduce((product, n) => product * n, 1) },
      () => low + (high - low) * random.uniform(),
    );
    return graph.constant({ dtype: 'float32', dims: size, data }, 'weights');
  });
  return { graph, name };
}

/** The forward function of an op, and its bounds between two corners, by ONNX Runtime. */
async function subject(dims: readonly number[], body: Build) {
  const { graph, name } = build(dims, body);
  graph.output(name, 'float32');
  const forward = await createSession(writeModel(graph.model), 'forward');
  const other = build(dims, body);
  const types = new Map(declaredTypes(other.graph.model));
  inferTypes(other.graph, types);
  const { lower, upper, intervals } = propagate(other.graph, { input: 'x', types });
  const interval = intervals.get(other.name)!;
  for (const side of [interval.lower, interval.upper]) other.graph.output(side, 'float32');
  const bounds = await createSession(writeModel(other.graph.model), 'bounds', {
    graphOptimizationLevel: 'disabled',
  });
  return {
    at: async (x: Tensor) => (await forward.run({ x: native(x) }, [name]))[name]!.data as Float32Array,
    async between(from: Tensor, to: Tensor) {
      const feeds = { [lower]: native(from), [upper]: native(to) };
      const found = await bounds.run(feeds, [interval.lower, interval.upper]);
      return [interval.lower, interval.upper].map((side) => found[side]!.data as Float32Array) as [
        Float32Array,
        Float32Array,
      ];
    },
    close: () => Promise.all([forward.release(), bounds.release()]),
  };
}

/** Corners around a random point, as far apart as `radius` at most. */
function corners(dims: readonly number[], radius: number, [low, high]: readonly [number, number]) {
  const random = stream('corners', radius, ...dims);
  const size = dims.reduce((product, n) => product * n, 1);
  const centre = Float32Array.from({ length: size }, () => low + (high - low) * random.uniform());
  const reach = centre.map(() => radius * random.uniform());
  const corner = (sign: number) =>
    tensor(
      centre.map((value, i) => value + sign * reach[i]!),
      [1, ...dims],
    );
  return [corner(-1), corner(1)] as const;
}

/** Points between two corners: each other one is a corner itself. */
function pointsBetween(lower: Tensor, upper: Tensor): Tensor {
  const random = stream('points');
  const [, ...dims] = lower.shape;
  const points = tensor(new Float32Array(POINTS * lower.data.length), [POINTS, ...dims]);
  for (let i = 0; i < POINTS; i++)
    row(points, i).forEach((_, j, own) => {
      const share = i % 2 === 0 ? random.integer(2) : random.uniform();
      const [lo, hi] = [lower.data[j]!, upper.data[j]!];
      own[j] = Math.min(hi, Math.max(lo, lo + share * (hi - lo)));
    });
  return points;
}

const image = [3, 6, 5];
const op =
  (name: string, attributes: Record<string, AttributeValue> = {}): Build =>
  (graph, x) =>
    graph.node(name, [x], attributes);
const with1 =
  (name: string, dims: readonly number[], low?: number, high?: number): Build =>
  (graph, x, more) =>
    graph.node(name, [x, more(dims, low, high)]);

const OPS: Readonly<Record<string, readonly [dims: readonly number[], body: Build]>> = {
  Conv: [
    image,
    (graph, x, more) =>
      graph.node('Conv', [x, more([4, 3, 3, 3]), more([4])], { pads: [1, 1, 1, 1], strides: [2, 2] }),
  ],
  'Conv without bias, in groups': [
    [4, 6, 6],
    (graph, x, more) => graph.node('Conv', [x, more([4, 2, 3, 3])], { group: 2 }),
  ],
  Gemm: [[30], (graph, x, more) => graph.node('Gemm', [x, more([7, 30]), more([7])], { transB: 1 })],
  'MatMul from the right': [[5, 30], with1('MatMul', [30, 7])],
  'MatMul from the left': [[5, 30], (graph, x, more) => graph.node('MatMul', [more([4, 5]), x])],
  BatchNormalization: [
    image,
    (graph, x, more) =>
      graph.node('BatchNormalization', [x, more([3]), more([3]), more([3]), more([3], 0.1, 2)]),
  ],
  AveragePool: [image, op('AveragePool', { kernel_shape: [2, 2], pads: [1, 1, 0, 0] })],
  GlobalAveragePool: [image, op('GlobalAveragePool')],
  ReduceMean: [image, (graph, x) => graph.node('ReduceMean', [x, graph.ints([2, 3])], { keepdims: 0 })],
  ReduceSum: [image, (graph, x) => graph.node('ReduceSum', [x, graph.ints([1])])],
  MaxPool: [image, op('MaxPool', { kernel_shape: [2, 2], strides: [2, 2] })],
  GlobalMaxPool: [image, op('GlobalMaxPool')],
  'Add of a constant': [image, with1('Add', [3, 1, 1])],
  'Add of two': [[9], (graph, x, more) => graph.node('Add', [x, graph.node('Mul', [x, more([9])])])],
  'Sub of a constant': [[9], with1('Sub', [9])],
  'Sub from a constant': [[9], (graph, x, more) => graph.node('Sub', [more([9]), x])],
  'Sub of two': [[9], (graph, x, more) => graph.node('Sub', [x, graph.node('Mul', [x, more([9])])])],
  'Mul by a constant': [[9], with1('Mul', [9])],
  'Div by a constant': [[9], with1('Div', [9], -3, -0.3)],
  Neg: [[9], op('Neg')],
  Relu: [[9], op('Relu')],
  LeakyRelu: [[9], op('LeakyRelu')],
  Clip: [[9], (graph, x) => graph.node('Clip', [x, graph.scalar('float32', 0), graph.scalar('float32', 6)])],
  Max: [[9], with1('Max', [9])],
  Min: [[9], with1('Min', [9])],
  Sigmoid: [[9], op('Sigmoid')],
  HardSigmoid: [[9], op('HardSigmoid')],
  Tanh: [[9], op('Tanh')],
  Softplus: [[9], op('Softplus')],
  Elu: [[9], op('Elu')],
  Concat: [[2, 4], (graph, x) => graph.node('Concat', [x, graph.node('Neg', [x])], { axis: 1 })],
  Pad: [[3, 4], (graph, x) => graph.node('Pad', [x, graph.ints([0, 1, 0, 0, 0, 2])])],
  Transpose: [[3, 4], op('Transpose', { perm: [0, 2, 1] })],
  Flatten: [[3, 4], op('Flatten')],
  'Reshape to a computed shape': [
    [3, 4],
    (graph, x) => {
      const batch = graph.node('Gather', [graph.node('Shape', [x]), graph.ints([0])]);
      return graph.node('Reshape', [x, graph.node('Concat', [batch, graph.ints([-1])], { axis: 0 })]);
    },
  ],
};

describe.each(Object.entries(OPS))('the bounds of %s', (_, [dims, body]) => {
  it.each([0, 0.3])('hold everything between corners %p apart', async (radius) => {
    const { at, between, close } = await subject(dims, body);
    const [lower, upper] = corners(dims, radius, [-2, 2]);
    const [below, above] = await between(lower, upper);
    const answers = await at(pointsBetween(lower, upper));
    const size = below.length;
    const outside = answers.filter((value, i) => !(value >= below[i % size]! && value <= above[i % size]!));
    expect([...outside]).toEqual([]);
    if (radius === 0) expect(Math.max(...below.map((value, i) => above[i]! - value))).toBeLessThan(2e-4);
    await close();
  });
});

it('are those of the textbook: a net of two inputs, two hidden units and one output (a worked example of auto_LiRPA)', async () => {
  const weights = (graph: Graph, dims: readonly number[], ...data: number[]) =>
    graph.constant({ dtype: 'float32', dims, data: Float32Array.from(data) });
  const { between, close } = await subject([2], (graph, x) => {
    const hidden = graph.node('MatMul', [x, weights(graph, [2, 2], 1, 2, -1, -1)]);
    return graph.node('MatMul', [graph.node('Relu', [hidden]), weights(graph, [2, 1], 1, -1)]);
  });
  const corner = (...data: number[]) => tensor(Float32Array.from(data), [1, 2]);
  const [below, above] = await between(corner(-1, -2), corner(2, 1));
  expect([below[0], above[0]]).toEqual([expect.closeTo(-6, 4), expect.closeTo(4, 4)]);
  expect(below[0]).toBeLessThanOrEqual(-6);
  expect(above[0]).toBeGreaterThanOrEqual(4);
  await close();
});

describe.each([
  'examples/digits/digits.onnx',
  'fixtures/models/cnn-batch1-dynamo.onnx',
  'fixtures/models/cnn-normalised-dynamo.onnx',
  'fixtures/models/keras-cnn.onnx',
  'fixtures/models/squeezenet-dynamo.onnx',
  'fixtures/sklearn/mlp-3.onnx',
])('%s', (path) => {
  it('bounds its leads: at a point by little more than rounding, between corners everything', async () => {
    const model = await openOnnx(path, { bounds: [0, 1], trial: false });
    const size = model.input.shape.reduce((product, n) => product * n, 1);
    const random = stream(path);
    const x = tensor(
      Float32Array.from({ length: 3 * size }, () => random.uniform()),
      [3, ...model.input.shape],
    );
    const own = argmax(await model.scores(x));
    const moved = (by: () => number) =>
      tensor(
        x.data.map((value) => value + by()),
        x.shape,
      );
    const leadsAt = async (points: Tensor) => {
      const scores = await model.scores(points);
      return scores.data.map((value, i) => {
        const sample = Math.floor(i / model.classes);
        return row(scores, sample)[own[sample]!]! - value;
      });
    };
    const above = (found: Tensor, exact: Float32Array) =>
      exact.filter((value, i) => found.data[i]! > value).length;
    const at = await model.leastLeads!(x, x, own);
    const exact = await leadsAt(x);
    expect(above(at, exact)).toBe(0);
    const largest = Math.max(...exact.map(Math.abs));
    expect(Math.max(...exact.map((value, i) => value - at.data[i]!))).toBeLessThan(0.02 * (1 + largest));
    const within = await model.leastLeads!(
      moved(() => -0.01),
      moved(() => 0.01),
      own,
    );
    for (let k = 0; k < 5; k++) {
      const points = moved(() => 0.0099 * (2 * random.integer(2) - 1));
      expect(above(within, await leadsAt(points))).toBe(0);
    }
    await model.close();
  });
});

it('says of which op there are none', async () => {
  const model = await openOnnx('fixtures/models/vit-dynamo.onnx', { bounds: [0, 1], trial: false });
  const x = tensor(new Float32Array(model.input.shape.reduce((a, b) => a * b, 1)), [1, ...model.input.shape]);
  await expect(model.leastLeads!(x, x, Int32Array.of(0))).rejects.toThrow(
    /^Unexpected op LayerNormalization without a rule at node "[^"]+" \(LayerNormalization\) of vit-dynamo.onnx, expected a case with bounds\. Use attacks, /,
  );
  await model.close();
});

describe('rounding', () => {
  /** A float32 as a whole number of 2^-149. */
  const exact = (value: number) => BigInt(value * 2 ** 149);
  const dot = (w: Float32Array, x: (j: number) => number, bias: number) =>
    w.reduce((sum, value, j) => sum + exact(value) * exact(x(j)), exact(bias) << 149n);
  const [inputs, outputs] = [40, 50];

  /** Large products that cancel: what float32 computes is wrong in its first digits. */
  const cancelling = () => {
    const random = stream('cancelling');
    const w = Float32Array.from({ length: outputs * inputs }, () => 1000 * random.normal());
    const x = Float32Array.from({ length: inputs }, () => 1000 * random.normal());
    for (let i = 0; i < outputs; i++)
      for (let j = 1; j < inputs; j += 2) w[i * inputs + j] = -(w[i * inputs + j - 1]! * x[j - 1]!) / x[j]!;
    return { w, x, b: Float32Array.from({ length: outputs }, () => random.normal()) };
  };

  it('is made up for: the exact extremes lie within the bounds, and not far', async () => {
    const { w, x, b } = cancelling();
    const constants: Build = (graph, from) => {
      const weights = graph.constant({ dtype: 'float32', dims: [outputs, inputs], data: w });
      const bias = graph.constant({ dtype: 'float32', dims: [outputs], data: b });
      return graph.node('Gemm', [from, weights, bias], { transB: 1 });
    };
    const { at, between, close } = await subject([inputs], constants);
    const point = tensor(x, [1, inputs]);
    for (const radius of [0, 1e-3]) {
      const [lower, upper] = [-1, 1].map((sign) =>
        tensor(
          x.map((value) => value + sign * radius),
          [1, inputs],
        ),
      ) as [Tensor, Tensor];
      const [below, above] = await between(lower, upper);
      const computed = await at(point);
      for (let i = 0; i < outputs; i++) {
        const own = w.subarray(i * inputs, (i + 1) * inputs);
        const extreme = (sign: number) =>
          dot(own, (j) => (sign * own[j]! > 0 ? upper : lower).data[j]!, b[i]!);
        expect(exact(below[i]!) << 149n <= extreme(-1)).toBe(true);
        expect(exact(above[i]!) << 149n >= extreme(1)).toBe(true);
        expect(computed[i]!).toBeGreaterThanOrEqual(below[i]!);
        expect(computed[i]!).toBeLessThanOrEqual(above[i]!);
        // The products are up to 1e7 each; gamma of them is a few hundred.
        expect(Number((extreme(-1) - (exact(below[i]!) << 149n)) >> 298n)).toBeLessThan(2000);
      }
    }
    await close();
  });

  it('is made up for in what one class leads another by, where they hang together', async () => {
    const { w, x, b } = cancelling();
    const types = new Map<string, TensorType>([
      ['x', { dtype: 'float32', dims: ['N', inputs] }],
      ['scores', { dtype: 'float32', dims: ['N', outputs] }],
      ['b', { dtype: 'float32', dims: [outputs] }],
      ['w', { dtype: 'float32', dims: [outputs, inputs] }],
    ]);
    const graph = Graph.empty(20);
    graph.input('x', 'float32', ['N', inputs]);
    graph.proto.initializer.push(
      writeTensor({ dtype: 'float32', dims: [outputs, inputs], data: w }, 'w'),
      writeTensor({ dtype: 'float32', dims: [outputs], data: b }, 'b'),
    );
    graph.nodes('Gemm', ['x', 'w', 'b'], 1, { transB: 1 }, { outputs: ['scores'] });
    const bounded = bound(new Graph(graph.model), { input: 'x', scores: 'scores', types });
    const session = await createSession(writeModel(graph.model), 'leads', {
      graphOptimizationLevel: 'disabled',
    });
    const [lower, upper] = [-1, 1].map((sign) =>
      tensor(
        x.map((value) => value + sign),
        [1, inputs],
      ),
    ) as [Tensor, Tensor];
    for (const own of [0, 17]) {
      const found = await session.run(
        {
          [bounded.lower]: native(lower),
          [bounded.upper]: native(upper),
          [bounded.own]: new Native('int64', BigInt64Array.of(BigInt(own)), [1]),
        },
        [bounded.leads, bounded.scores.lower, bounded.scores.upper],
      );
      const [leads, below, above] = [bounded.leads, bounded.scores.lower, bounded.scores.upper].map(
        (name) => found[name]!.data as Float32Array,
      ) as [Float32Array, Float32Array, Float32Array];
      let tighter = 0;
      for (let k = 0; k < outputs; k++) {
        const apart = (j: number) => exact(w[own * inputs + j]!) - exact(w[k * inputs + j]!);
        let least = (exact(b[own]!) - exact(b[k]!)) << 149n;
        for (let j = 0; j < inputs; j++) least += apart(j) * exact((apart(j) > 0n ? lower : upper).data[j]!);
        expect(exact(leads[k]!) << 149n <= least).toBe(true);
        tighter += Number(leads[k]! > below[own]! - above[k]!);
      }
      expect(leads[own]).toBeLessThanOrEqual(0);
      expect(tighter).toBeGreaterThan(outputs / 2);
    }
    await session.release();
  });

  it('needs making up for: the float32 bounds of the same numbers are wrong', async () => {
    const { w, x, b } = cancelling();
    const wrong = Array.from({ length: outputs }, (_, i) => {
      const own = w.subarray(i * inputs, (i + 1) * inputs);
      const naive = own.reduce((sum, value, j) => Math.fround(sum + Math.fround(value * x[j]!)), b[i]!);
      return exact(naive) << 149n > dot(own, (j) => x[j]!, b[i]!);
    });
    expect(wrong.filter(Boolean).length).toBeGreaterThan(outputs / 5);
  });

  it.each<[string, (x: number, c: number) => readonly [bigint, bigint]]>([
    // The exact result, and what a bound is multiplied by to be compared with it.
    ['Add', (x, c) => [exact(x) + exact(c), 1n]],
    ['Sub', (x, c) => [exact(x) - exact(c), 1n]],
    ['Mul', (x, c) => [exact(x) * exact(c), 1n << 149n]],
    ['Div', (x, c) => [exact(x) << 149n, exact(c)]],
  ])('of %s is made up for', async (name, result) => {
    const c = Float32Array.from({ length: 60 }, (_, i) => 1 / (i + 3));
    const { between, close } = await subject([c.length], (graph, x) =>
      graph.node(name, [x, graph.constant({ dtype: 'float32', dims: [c.length], data: c })]),
    );
    const x = tensor(
      c.map((_, i) => 1 / (i + 0.7)),
      [1, c.length],
    );
    const [below, above] = await between(x, x);
    for (let i = 0; i < c.length; i++) {
      const [wanted, unit] = result(x.data[i]!, c[i]!);
      expect(exact(below[i]!) * unit <= wanted && wanted <= exact(above[i]!) * unit).toBe(true);
      expect(above[i]! - below[i]!).toBeLessThan(1e-5);
    }
    await close();
  });

  it('leaves nothing known where float32 overflows', async () => {
    const { between, close } = await subject([2], (graph, x) => {
      const large = graph.node('Mul', [x, graph.scalar('float32', 3e38)]);
      return graph.node('Relu', [graph.node('MatMul', [large, graph.scalar('float32', 1, [2, 1])])]);
    });
    const [below, above] = await between(
      tensor(Float32Array.of(-2, 1), [1, 2]),
      tensor(Float32Array.of(2, 2), [1, 2]),
    );
    expect([below[0], above[0]]).toEqual([0, Infinity]);
    await close();
  });
});

it.each([
  ['Sigmoid', (x: number) => 1 / (1 + Math.exp(-x))],
  ['Tanh', Math.tanh],
  ['Softplus', (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))],
  ['Elu', (x: number) => (x > 0 ? x : Math.expm1(x))],
  ['HardSigmoid', (x: number) => Math.min(1, Math.max(0, 0.2 * x + 0.5))],
])('%s of ONNX Runtime is nearer to the exact one than its bounds expect', async (name, wanted) => {
  const { at, close } = await subject([1], op(name));
  const x = Float32Array.from({ length: 40_001 }, (_, i) => (i - 20_000) / 500);
  const found = await at(tensor(x, [x.length, 1]));
  const errors = found.map((value, i) => Math.abs(value - wanted(x[i]!)) / (1 + Math.abs(wanted(x[i]!))));
  expect(Math.max(...errors)).toBeLessThan(2 ** -17 / 4);
  await close();
});
