import { Graph, type TensorType } from '@gauntlet/onnx';
import { bound } from './index.js';

const types = (...more: [string, TensorType][]) =>
  new Map<string, TensorType>([
    ['x', { dtype: 'float32', dims: ['N', 4] }],
    ['scores', { dtype: 'float32', dims: ['N', 4] }],
    ...more,
  ]);

function graphOf(build: (graph: Graph) => void): Graph {
  const graph = Graph.empty(20);
  graph.input('x', 'float32', ['N', 4]);
  build(graph);
  return graph;
}
const scores = { outputs: ['scores'] };
const matrix = (graph: Graph) =>
  graph.constant({ dtype: 'float32', dims: [4, 4], data: new Float32Array(16).fill(1) });

it('takes two corners and a class, and gives bounds of the scores and leads', () => {
  const graph = graphOf((to) => to.nodes('MatMul', ['x', matrix(to)], 1, {}, scores));
  const {
    lower,
    upper,
    own,
    scores: bounds,
    leads,
  } = bound(graph, { input: 'x', scores: 'scores', types: types() });
  expect(graph.proto.input.map(({ name }) => name)).toEqual([lower, upper, own]);
  expect(graph.proto.output.map(({ name }) => name)).toEqual([bounds.lower, bounds.upper, leads]);
  const made = new Set(graph.proto.node.flatMap(({ output }) => output));
  expect([bounds.lower, bounds.upper, leads].filter((name) => !made.has(name))).toEqual([]);
  expect(graph.proto.node.filter(({ input }) => input.includes('x'))).toEqual([]);
});

it.each<[string, string, (graph: Graph) => void]>([
  [
    'an op without a rule',
    'op Sin without a rule at node Sin of "scores"',
    (to) => to.nodes('Sin', ['x'], 1, {}, scores),
  ],
  [
    'a product of two',
    'Mul of two tensors that depend on the samples at node Mul of "scores"',
    (to) => to.nodes('Mul', ['x', 'x'], 1, {}, scores),
  ],
  [
    'a product of matrices',
    'product of two tensors that depend on the samples at node MatMul',
    (to) => to.nodes('MatMul', ['x', 'x'], 1, {}, scores),
  ],
  [
    'a divisor',
    'divisor that depends on the samples at node Div',
    (to) => to.nodes('Div', [to.scalar('float32', 1), 'x'], 1, {}, scores),
  ],
  [
    'a falling activation',
    'negative alpha at node LeakyRelu',
    (to) => to.nodes('LeakyRelu', ['x'], 1, { alpha: { float: -1 } }, scores),
  ],
  [
    'a scaled Gemm',
    'factor or transposed first input at node Gemm',
    (to) => to.nodes('Gemm', ['x', matrix(to)], 1, { alpha: { float: 2 } }, scores),
  ],
  [
    'an op of another domain',
    'op Relu without a rule at node Relu',
    (to) => to.nodes('Relu', ['x'], 1, {}, { ...scores, domain: 'mine' }),
  ],
  [
    'a sum that is too long',
    'sum of 200000 products at node MatMul',
    (to) => {
      const data = new Float32Array(200_000);
      to.nodes('MatMul', ['x', to.constant({ dtype: 'float32', dims: [200_000, 1], data })], 1, {}, scores);
    },
  ],
])('refuses %s by name', (_, found, build) => {
  const graph = graphOf(build);
  const long: [string, TensorType] = ['x', { dtype: 'float32', dims: ['N', 200_000] }];
  const given = found.includes('200000') ? types(long) : types();
  expect(() => bound(graph, { input: 'x', scores: 'scores', types: given })).toThrow(`Unexpected ${found}`);
});
