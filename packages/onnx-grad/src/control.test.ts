import type { ModelProto } from '@gauntlet/onnx';
import {
  create,
  FunctionProtoSchema,
  Graph,
  int64s,
  readModel,
  writeModel,
  writeValueInfo,
} from '@gauntlet/onnx';

import { gradientModel } from './index.js';
import { run } from './testing/run.js';

const f32 = (...values: number[]) =>
  ({ dtype: 'float32', dims: [values.length], data: Float32Array.from(values) }) as const;

/** The output and its gradient at x, which must be the same before and after what is inside nodes is written out. */
async function gradientAt(
  model: ModelProto,
  x: readonly number[],
  options: Parameters<typeof gradientModel>[1] = {},
) {
  const feeds = new Map([
    ['x', f32(...x)],
    ['cotangent', f32(...x.map(() => 1))],
  ]);
  const before = await run(model, feeds, ['y']);
  const after = await run(readModel(writeModel(gradientModel(model, options))), feeds);
  expect([...after.get('y')!.data]).toEqual([...before.get('y')!.data]);
  return [...(after.get('gradient:x')!.data as Float32Array)];
}

function model(build: (graph: Graph) => string, size = 2): ModelProto {
  const graph = Graph.empty(18);
  graph.input('x', 'float32', [size]);
  graph.nodes('Identity', [build(graph)], 1, {}, { outputs: ['y'] });
  graph.output('y', 'float32', [size]);
  return graph.model;
}

/** A subgraph of one node. */
function body(inputs: readonly string[], build: (graph: Graph) => readonly string[]) {
  const graph = Graph.empty(18);
  for (const name of inputs)
    graph.proto.input.push(
      writeValueInfo(name, name === 'round' ? 'int64' : name === 'go' ? 'bool' : 'float32', []),
    );
  for (const info of graph.proto.input.slice(2)) info.type = undefined;
  graph.proto.output = build(graph).map((name) => writeValueInfo(name, name === 'go' ? 'bool' : 'float32'));
  return { graph: graph.proto };
}

test('a function of the model is written out, with its attributes', async () => {
  const made = model((graph) => graph.node('Scaled', ['x'], { factor: { float: 3 } }, { domain: 'own' }));
  made.opsetImport.push({ ...made.opsetImport[0]!, domain: 'own', version: 1n });
  const node = (opType: string, input: string[], output: string[]) => ({ opType, input, output });
  made.functions.push(
    create(FunctionProtoSchema, {
      name: 'Scaled',
      domain: 'own',
      input: ['a'],
      output: ['b'],
      attribute: ['factor'],
      opsetImport: [{ domain: '', version: 18n }],
      node: [
        {
          ...node('Constant', [], ['c']),
          attribute: [{ name: 'value_float', refAttrName: 'factor', type: 1 }],
        },
        node('Mul', ['a', 'c'], ['x']), // a name that the caller has too
        node('Exp', ['x'], ['b']),
      ],
    }),
  );
  const gradient = await gradientAt(made, [0.5, -1]);
  expect(gradient[0]).toBeCloseTo(3 * Math.exp(1.5), 4);
  expect(gradient[1]).toBeCloseTo(3 * Math.exp(-3), 4);
});

test('a function that calls itself is refused', () => {
  const made = model((graph) => graph.node('Again', ['x'], {}, { domain: 'own' }));
  const again = { opType: 'Again', domain: 'own', input: ['a'], output: ['b'] };
  made.functions.push(
    create(FunctionProtoSchema, {
      name: 'Again',
      domain: 'own',
      input: ['a'],
      output: ['b'],
      node: [again, again],
    }),
  );
  expect(() => gradientModel(made)).toThrow('Unexpected nesting of 201 levels');
});

test.each([
  [1, 2],
  [0, -1],
])('of a branch on the constant %d, the one taken is differentiated', async (flag, slope) => {
  const made = model((graph) => {
    const condition = graph.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(flag) });
    const twice = body([], (inner) => [inner.node('Add', ['x', 'x'])]);
    const negative = body([], (inner) => [inner.node('Neg', ['x'])]);
    return graph.node('If', [condition], { then_branch: twice, else_branch: negative });
  });
  expect(await gradientAt(made, [3, 4])).toEqual([slope, slope]);
});

test('a loop of a constant number of rounds is unrolled, with what it carries and what it collects', async () => {
  const made = model((graph) => {
    const step = body(['round', 'go', 'state'], (inner) => {
      const next = inner.node('Mul', ['state', 'x']);
      return ['go', next, inner.node('Identity', [next])];
    });
    const [state, all] = graph.nodes('Loop', [graph.constant(int64s([3], [])), '', 'x'], 2, { body: step });
    return graph.node('Add', [state!, graph.node('ReduceSum', [all!, graph.ints([0])], { keepdims: 0 })]);
  });
  // y = 2 x^4 + x^3 + x^2
  expect(await gradientAt(made, [2, -1])).toEqual([64 + 12 + 4, -8 + 3 - 2]);
});

test('a loop that is too long stays one', () => {
  const made = model((graph) => {
    const step = body(['round', 'go', 'state'], (inner) => ['go', inner.node('Mul', ['state', 'x'])]);
    const options = { outputs: ['long'] };
    return graph.node('Loop', [graph.constant(int64s([100_000], [])), '', 'x'], { body: step }, options);
  });
  const shapes = new Map([['long', { dtype: 'float32', dims: [2] } as const]]);
  expect(() => gradientModel(made, { shapes })).toThrow('Unexpected op Loop at node Loop');
});

test('a scan of a known number of elements is unrolled, in either direction and along any axis', async () => {
  const made = model((graph) => {
    const scan = {
      num_scan_inputs: 1,
      scan_input_axes: [-1],
      scan_output_axes: [-1],
      scan_output_directions: [1],
    };
    const step = body([], (inner) => {
      for (const name of ['state', 'element']) inner.proto.input.push(writeValueInfo(name, 'float32', []));
      const next = inner.node('Mul', ['state', 'element']);
      return [next, inner.node('Identity', [next])];
    });
    const one = graph.scalar('float32', 1);
    const [product, all] = graph.nodes('Scan', [one, 'x'], 2, {
      ...scan,
      scan_input_directions: [1],
      body: step,
    });
    // backwards: products x3, x3 x2, x3 x2 x1; put together last first
    return graph.node('Add', [graph.node('Mul', [all!, graph.constant(f32(1, 10, 100))]), product!]);
  }, 3);
  // sum of y = 4 x1 x2 x3 + 10 x2 x3 + 100 x3
  expect(await gradientAt(made, [2, 3, 5])).toEqual([4 * 15, 4 * 10 + 50, 4 * 6 + 30 + 100]);
});

describe('a sequence whose elements are known is written out', () => {
  const whole = (graph: Graph, value: number) => graph.constant(int64s([value], []));

  it.each<[string, (graph: Graph) => string, readonly number[]]>([
    [
      'parts of given sizes',
      (graph) => {
        const parts = graph.node('SplitToSequence', ['x', graph.ints([1, 2])]);
        const [first, last] = [0, -1].map((at) => graph.node('SequenceAt', [parts, whole(graph, at)]));
        return graph.node('Add', [first!, graph.node('Concat', [last!, first!], { axis: 0 })]);
      },
      [4, 1, 1],
    ],
    [
      'parts of one size, without their axis, in another order',
      (graph) => {
        const parts = graph.node('SplitToSequence', ['x'], { keepdims: 0 });
        const at = (i: number) => graph.node('SequenceAt', [parts, whole(graph, i)]);
        const product = graph.node('Mul', [at(1), at(2)]);
        const some = graph.node('SequenceConstruct', [at(0), product]);
        const more = graph.node('SequenceInsert', [some, at(2), whole(graph, 0)]);
        return graph.node('ConcatFromSequence', [more], { axis: 0, new_axis: 1 });
      },
      [1, 5, 4],
    ],
    [
      'elements that are put in and taken out',
      (graph) => {
        const square = graph.node('Mul', ['x', 'x']);
        const none = graph.node('SequenceEmpty', []);
        const two = [square, 'x'].reduce((list, name) => graph.node('SequenceInsert', [list, name]), none);
        const count = graph.node('Cast', [graph.node('SequenceLength', [two])], { to: 1 });
        const one = graph.node('Identity', [graph.node('SequenceErase', [two])]);
        return graph.node('Mul', [graph.node('SequenceAt', [one, whole(graph, 0)]), count]);
      },
      [8, 12, 20],
    ],
  ])('%s', async (_, build, slopes) => {
    expect(await gradientAt(model(build, 3), [2, 3, 5])).toEqual(slopes);
  });

  it('in a loop too', async () => {
    const made = model((graph) => {
      const step = body(['round', 'go', 'state', 'list'], (inner) => {
        const next = inner.node('Mul', ['state', 'x']);
        return ['go', next, inner.node('SequenceInsert', ['list', next])];
      });
      for (const info of step.graph.output.slice(1)) info.type = undefined;
      const [, list] = graph.nodes('Loop', [whole(graph, 2), '', 'x', graph.node('SequenceEmpty', [])], 2, {
        body: step,
      });
      const all = graph.node('ConcatFromSequence', [list!], { axis: 0, new_axis: 1 });
      return graph.node('ReduceSum', [all, graph.ints([0])], { keepdims: 0 });
    });
    // y = x^2 + x^3
    expect(await gradientAt(made, [2, -1])).toEqual([4 + 12, -2 + 3]);
  });

  it('stays where a place is computed at run time', () => {
    const made = model((graph) => {
      const at = graph.node('Cast', [graph.node('ReduceMax', ['x'], { keepdims: 0 })], { to: 7 });
      const list = graph.node('SequenceConstruct', ['x', 'x']);
      return graph.node('SequenceAt', [list, at], {}, { outputs: ['picked'] });
    });
    const shapes = new Map([['picked', { dtype: 'float32', dims: [2] } as const]]);
    expect(() => gradientModel(made, { shapes })).toThrow('Unexpected op SequenceAt at node SequenceAt');
  });
});

test('quantisation is passed straight through within its range, or not at all', async () => {
  const made = model((graph) => {
    const [scale, zero] = [
      graph.scalar('float32', 0.5),
      graph.constant({ dtype: 'int8', dims: [], data: Int8Array.of(3) }),
    ];
    const quantised = graph.node('QuantizeLinear', [graph.node('Mul', ['x', 'x']), scale, zero]);
    return graph.node('DequantizeLinear', [quantised, scale, zero]);
  }, 3);
  // 64 / 0.5 + 3 is above 127
  expect(await gradientAt(made, [2.1, -3, 8])).toEqual([Math.fround(4.2), -6, 0]);
  expect(() => gradientModel(made, { quantisation: 'zero' })).toThrow(
    'Unexpected op QuantizeLinear at node QuantizeLinear of "QuantizeLinear_0", expected one that lets a gradient through to "x"',
  );
});

test('what has no smooth path is refused by the last node that cuts it', () => {
  const cut = model((graph) => {
    const early = graph.node('Hardmax', ['x'], {}, { name: 'early' });
    return graph.node('Neg', [graph.node('Sign', [graph.node('Add', ['x', early])], {}, { name: 'late' })]);
  });
  expect(() => gradientModel(cut)).toThrow(
    /^Unexpected op Sign at node "late" \(Sign\), expected one that lets a gradient through to "x"/,
  );
  const apart = model((graph) => graph.node('Neg', [graph.scalar('float32', 1, [2])]));
  expect(() => gradientModel(apart)).toThrow(
    'Unexpected tensor "y" at the end, expected one that depends smoothly on "x"',
  );
});
