import type { OpenModel } from '@gauntlet/core';
import type { Graph } from '@gauntlet/onnx';
import { tensor } from '@gauntlet/tensor';
import { openOnnx } from './index.js';
import { floats, loopBody, subgraph, temporary } from './testing/files.js';

const folder = temporary();
afterAll(() => folder.remove());

/** A model of input `x` [N, 2, 2] and output `y` [N, 4]. */
const modelOf = (body: (graph: Graph, x: string) => string, opset?: number) =>
  folder.model((graph) => {
    const made = body(graph, graph.input('x', 'float32', ['N', 2, 2]));
    graph.nodes('Reshape', [made, graph.ints([-1, 4])], 1, {}, { outputs: ['y'], name: 'last' });
    graph.output('y', 'float32', ['N', 4]);
  }, opset);

const named = (
  graph: Graph,
  op: string,
  inputs: readonly string[],
  name: string,
  attributes: Parameters<Graph['node']>[2] = {},
) => graph.node(op, inputs, attributes, { name });

describe('a model without gradients says which op of which node is in the way, and offers scores', () => {
  it.each<[string, (graph: Graph, x: string) => string, RegExp]>([
    [
      'an op without a rule',
      (graph, x) =>
        graph.node('Mul', [
          x,
          graph.node('Unsqueeze', [named(graph, 'Det', [x], 'the det'), graph.ints([1, 2])]),
        ]),
      /op Det at node "the det" \(Det\)/,
    ],
    [
      'an op whose derivative is zero',
      (graph, x) => named(graph, 'Hardmax', [x], 'the gate'),
      /op Hardmax at node "the gate" \(Hardmax\)/,
    ],
    [
      'a number of steps that is the size of the batch',
      (graph, x) => {
        const weights = floats(graph, [1, 2, 2], [1, 2, 3, 4]);
        return named(graph, 'RNN', [x, weights, weights], 'the rnn', { hidden_size: 2 });
      },
      /dynamic size "N" at node "the rnn" \(RNN\)/,
    ],
    [
      'a size that depends on the data',
      (graph, x) => {
        const sum = graph.node('ReduceSum', [x], { keepdims: 0 });
        const count = graph.node('Reshape', [graph.node('Cast', [sum], { to: 7 }), graph.ints([1])]);
        const some = named(graph, 'Slice', [x, graph.ints([0]), count, graph.ints([1])], 'the slice');
        return graph.node('Mul', [x, graph.node('ReduceSum', [some], { keepdims: 0 })]);
      },
      /dynamic size "Slice_0.1" at node "the slice" \(Slice\)/,
    ],
    [
      'a loop whose rounds depend on the data',
      (graph, x) => {
        const largest = graph.node('ReduceMax', [x, graph.ints([0, 1, 2])], { keepdims: 0 });
        const rounds = graph.node('Cast', [largest], { to: 7 });
        const body = loopBody((inner, state) => inner.node('Add', [state, x], {}, { outputs: ['next'] }));
        return named(graph, 'Loop', [rounds, '', x], 'the loop', { body });
      },
      /op Loop at node "the loop" \(Loop\)/,
    ],
    [
      'a branch that depends on the data',
      (graph, x) => {
        const sum = graph.node('ReduceSum', [x, graph.ints([0, 1, 2])], { keepdims: 0 });
        const branch = (op: string) =>
          subgraph([], (inner) => [[inner.node(op, [x], {}, { outputs: [`${op} of x`] }), 'float32']]);
        const branches = { then_branch: branch('Exp'), else_branch: branch('Neg') };
        return named(
          graph,
          'If',
          [graph.node('Greater', [sum, graph.scalar('float32', 0)])],
          'the branch',
          branches,
        );
      },
      /op If at node "the branch" \(If\)/,
    ],
  ])('%s', async (_name, body, message) => {
    const notices: string[] = [];
    const model = (await openOnnx(modelOf(body), {
      bounds: [0, 1],
      onNotice: (notice) => notices.push(notice),
    })) as OpenModel<'scores'>;
    expect(model.access).toBe('scores');
    expect(notices).toEqual([expect.stringMatching(message)]);
    expect(notices[0]).toMatch(
      /only score- and label-based attacks run\. Unexpected [^\n]*, expected [^\n]*\. [^\n]*[uU]se attacks that need scores or labels only[^\n]*\.$/,
    );
    const scores = await model.scores(tensor(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [2, 2, 2]));
    expect(scores.shape).toEqual([2, 4]);
    await model.close();
  });
});

describe('a graph that makes no sense is refused in one sentence that names the node', () => {
  it.each<[string, (graph: Graph, x: string) => string, RegExp]>([
    [
      'a cycle',
      (graph, x) => {
        const first = named(graph, 'Add', [x, 'later'], 'the first');
        graph.nodes('Exp', [first], 1, {}, { name: 'the second', outputs: ['later'] });
        return first;
      },
      /cycle at node "the first" \(Add\)/,
    ],
    [
      'types that do not fit',
      (graph, x) => named(graph, 'Add', [x, graph.ints([1])], 'the sum'),
      /Optype \(Add\) .* in node \(the sum\)/,
    ],
    [
      'shapes that do not fit',
      (graph, x) => named(graph, 'MatMul', [x, floats(graph, [3, 2], [1, 2, 3, 4, 5, 6])], 'the product'),
      /Node \(the product\) Op \(MatMul\)/,
    ],
    [
      'a shape that cannot be',
      (graph, x) => named(graph, 'Reshape', [x, graph.ints([-1, 7])], 'the reshape'),
      /(Reshape "the reshape": |Node \(the reshape\) Op \(Reshape\))/,
    ],
    [
      'a shape from the data that cannot be',
      (graph, x) => {
        const sum = graph.node('Cast', [graph.node('ReduceSum', [x], { keepdims: 0 })], { to: 7 });
        const sizes = graph.node('Concat', [graph.node('Reshape', [sum, graph.ints([1])]), graph.ints([7])], {
          axis: 0,
        });
        return named(graph, 'Reshape', [x, sizes], 'the reshape');
      },
      /Reshape "the reshape": /,
    ],
    [
      'as many scores as the data make',
      (graph, x) => graph.node('Cast', [named(graph, 'NonZero', [x], 'the places')], { to: 1 }),
      /rows of scores, whose number follows the data at node "the places" \(NonZero\)/,
    ],
    [
      'a shape that no memory holds',
      (graph, x) => {
        const large = named(graph, 'ConstantOfShape', [graph.ints([4_000_000, 1_000_000])], 'the bomb');
        return graph.node('Add', [x, graph.node('ReduceMax', [large], { keepdims: 0 })]);
      },
      /ConstantOfShape "the bomb": /,
    ],
    [
      'what takes ONNX Runtime down',
      (graph, x) => named(graph, 'Mean', [x, x, ''], 'the mean'),
      /op that took its process down .* at node "the mean" \(Mean\)/,
    ],
    [
      'a branch that makes a tensor again',
      (graph, x) => {
        const sum = graph.node('Add', [x, x]);
        const branch = (op: string, output: string) =>
          subgraph([], (inner) => [
            [inner.node(op, [x], {}, { name: `the ${op}`, outputs: [output] }), 'float32'],
          ]);
        const always = graph.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(1) });
        const branches = { then_branch: branch('Neg', sum), else_branch: branch('Exp', 'other') };
        return graph.node('Add', [sum, graph.node('If', [always], branches)]);
      },
      /second producer of "Add_0" at node "the Neg" \(Neg\)/,
    ],
    [
      'a tensor that nobody makes',
      (graph, x) => named(graph, 'Add', [x, 'nobody'], 'the sum'),
      /"nobody" at node "the sum" \(Add\)/,
    ],
    [
      'an op that does not exist',
      (graph, x) => named(graph, 'Sigmoidal', [x], 'the odd one'),
      /"the odd one", Sigmoidal/,
    ],
  ])('%s', async (_name, body, message) => {
    const opening = openOnnx(modelOf(body), { bounds: [0, 1] });
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(/^Unexpected [^\n]* at [^\n]*, expected [^\n]*\. [^\n]*\.$/);
  });
});

it('an op of an opset for which ONNX Runtime has no code is refused by its name', async () => {
  const path = modelOf((graph, x) => {
    const images = graph.node('Unsqueeze', [x, graph.ints([1])]);
    const regions = floats(graph, [1, 5], [0, 0, 0, 1, 1]);
    return graph.node('Add', [
      x,
      named(graph, 'MaxRoiPool', [images, regions], 'the regions', { pooled_shape: [2, 2] }),
    ]);
  }, 22);
  await expect(openOnnx(path, { bounds: [0, 1], trial: false })).rejects.toThrow(
    /refuses to load \(Could not find an implementation for MaxRoiPool\(22\) node with name 'the regions'\) at .*, expected ops that it has code for\. Export the model with an older opset, or without this op\.$/,
  );
});
