import type { NodeProto } from './index.js';
import {
  attributesOf,
  declaredTypes,
  float,
  floats,
  Graph,
  int64s,
  readTensor,
  readsOf,
  sortNodes,
  placeAt,
} from './index.js';

const chain = (length: number): Graph => {
  const graph = Graph.empty(18);
  let at = graph.input('x', 'float32', [1]);
  for (let i = 0; i < length; i++) at = graph.node('Relu', [at]);
  graph.output(at, 'float32', [1]);
  return graph;
};

test('names never collide, whatever the model calls its tensors', () => {
  const graph = Graph.empty(18);
  const odd = graph.input('Add_0', 'float32', [1]);
  const spaced = graph.input('a name / with:odd "characters"', 'float32', [1]);
  const sum = graph.node('Add', [odd, spaced]);
  expect(
    new Set([odd, spaced, sum, graph.node('Add', [sum, sum]), graph.input('Add_0', 'float32', [1])]).size,
  ).toBe(5);
  expect(() => graph.nodes('Relu', [sum], 1, {}, { outputs: [sum] })).toThrow('Unexpected name');
});

test('equal constants are stored once, also after the node that reads them', () => {
  const graph = Graph.empty(18);
  expect(graph.ints([1, 2])).toBe(graph.ints([1, 2]));
  expect(graph.ints([1])).not.toBe(graph.constant(int64s([1], [])));
  expect(graph.scalar('float32', 1)).not.toBe(graph.scalar('float64', 1));
  expect(graph.proto.initializer).toHaveLength(5);
});

test('values are those of initialisers and Constant nodes, through Identity, but not of inputs', () => {
  const graph = Graph.empty(18);
  const name = graph.node('Constant', [], { value: int64s([3]) });
  expect([...graph.value(graph.node('Identity', [name]))!.data]).toEqual([3n]);
  expect(graph.value(graph.node('Constant', [], { value_float: float(0.5) }))).toMatchObject({
    dtype: 'float32',
    dims: [],
  });
  expect(graph.value(graph.input('x', 'int64', [1]))).toBeUndefined();
  const constant = graph.ints([7]);
  graph.proto.input.push({ ...graph.proto.input[0]!, name: constant });
  expect(new Graph(graph.model).value(constant)).toBeUndefined();
});

test('attributes are read with their types and defaults', () => {
  const graph = Graph.empty(18);
  const values = {
    i: 2,
    f: float(2),
    s: 'text',
    ints: [1, -1],
    floats: floats([1]),
    t: int64s([1]),
    none: undefined,
  };
  const attr = attributesOf(graph.producer(graph.node('Op', [], values))!);
  expect([attr.int('i', 0), attr.float('f', 0), attr.string('s', '')]).toEqual([2, 2, 'text']);
  expect([attr.ints('ints', []), attr.floats('floats', []), attr.int('none', 5)]).toEqual([[1, -1], [1], 5]);
  expect(readTensor(attr.tensor('t')!).dims).toEqual([1]);
  expect(() => attr.ints('i', [])).toThrow('Unexpected INT at attribute "i" of node Op');
});

test('nodes are sorted, in place and only if needed', () => {
  const { proto } = chain(4);
  const sorted = [...proto.node];
  proto.node.reverse();
  sortNodes(proto);
  expect(proto.node).toEqual(sorted);
});

test.each<[string, RegExp, (nodes: NodeProto[]) => unknown]>([
  ['a cycle', /^Unexpected cycle at node Relu/, (nodes) => (nodes[0]!.input = [...nodes[2]!.output])],
  ['a tensor from nowhere', /^Unexpected input "nowhere"/, (nodes) => (nodes[1]!.input = ['nowhere'])],
  ['two producers', /^Unexpected second producer/, (nodes) => (nodes[1]!.output = [...nodes[0]!.output])],
])('%s is refused', (_, message, damage) => {
  const { proto } = chain(3);
  damage(proto.node);
  expect(() => sortNodes(proto)).toThrow(message);
});

test('a node reads what its subgraphs capture', () => {
  const graph = chain(1);
  const inner = Graph.empty(18);
  inner.output(inner.node('Neg', ['x']), 'float32');
  const branch = { graph: inner.proto };
  const name = graph.node('If', ['condition'], { then_branch: branch, else_branch: branch });
  expect(readsOf(graph.producer(name)!)).toEqual(['condition', 'x']);
});

test('long chains neither overflow nor take long', () => {
  const { proto, model } = chain(20_000);
  proto.node.reverse();
  sortNodes(proto);
  expect(proto.node[0]!.input).toEqual(['x']);
  expect(declaredTypes(model).get('x')).toEqual({ dtype: 'float32', dims: [1] });
});

test('the type of a constant is known without its data', () => {
  const graph = chain(1);
  const tensor = { dtype: 'float32', dims: [2, 1], data: Float32Array.of(1, 2) } as const;
  const [inside, outside] = [
    graph.constant(tensor),
    graph.constant({ ...tensor, data: Float32Array.of(3, 4) }, 'far'),
  ];
  placeAt(graph.proto.initializer.at(-1)!, { location: 'far.bin', offset: 0, length: 8 });
  const again = new Graph(graph.model);
  const type = { dtype: 'float32', dims: [2, 1] };
  expect([inside, outside].map((name) => again.constantType(name))).toMatchObject([type, type]);
  expect([outside, 'x'].map((name) => again.value(name))).toEqual([undefined, undefined]);
  expect(again.constantType('x')).toBeUndefined();
});

test('other tensors stand in for outputs of a node until it is put back', () => {
  const graph = Graph.empty(18);
  const x = graph.input('x', 'float32', [2]);
  const [values, places] = graph.nodes('TopK', [x, graph.ints([1])], 2);
  const node = graph.producer(values!)!;
  const other = graph.node('Neg', [x]);
  const back = graph.standIn(node, [other, undefined]);
  sortNodes(graph.proto);
  expect(graph.source(values!)).toBe(other);
  expect(node.output).toEqual([expect.not.stringMatching(values!), places]);
  back();
  expect(graph.producer(values!)).toBe(node);
  expect(node.output).toEqual([values, places]);
  expect(graph.proto.node.map(({ opType }) => opType).sort()).toEqual(['Neg', 'TopK']);
});
