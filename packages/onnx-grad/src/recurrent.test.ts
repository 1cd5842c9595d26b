import { floats, fromNumbers, Graph, readModel, strings, writeModel } from '@gauntlet/onnx';

import { differentiate } from './index.js';
import { numbers } from './testing/differences.js';
import { learnTypes, relativeError, run } from './testing/run.js';

/** Activations of a cell, and the numbers alpha and beta that are listed for those that have any. */
type Activations = readonly [names: readonly string[], alpha?: readonly number[], beta?: readonly number[]];

const GATES = { RNN: 1, GRU: 3, LSTM: 4 } as const;

/** A recurrent node of 5 units over `x` [3, 2, 4], with random weights. */
function recurrent(op: keyof typeof GATES, ways: 1 | 2, [names, alpha, beta]: Activations) {
  const random = numbers(3);
  const graph = Graph.empty(18);
  const weights = (dims: readonly number[]) => {
    const size = dims.reduce((product, dim) => product * dim);
    return graph.constant(fromNumbers('float32', random(size, -1, 1), dims));
  };
  const rows = GATES[op] * 5;
  const inputs = [graph.input('x', 'float32', [3, 2, 4]), weights([ways, rows, 4]), weights([ways, rows, 5])];
  const [y] = graph.nodes(op, [...inputs, weights([ways, 2 * rows])], 1, {
    hidden_size: 5,
    direction: ways === 2 ? 'bidirectional' : 'forward',
    activations: strings(names),
    activation_alpha: alpha && floats(alpha),
    activation_beta: beta && floats(beta),
  });
  graph.output(y!, 'float32');
  return { graph, y: y!, feeds: new Map([['x', fromNumbers('float32', random(24, -1, 1), [3, 2, 4])]]) };
}

describe('a recurrent op that is written out gives what ONNX Runtime does', () => {
  it.each<[keyof typeof GATES, 1 | 2, ...Activations]>([
    ['RNN', 1, ['Affine'], [0.3], [0.1]],
    ['RNN', 1, ['Affine']],
    ['RNN', 1, ['ScaledTanh'], [0.3], [0.7]],
    ['RNN', 1, ['HardSigmoid']],
    ['RNN', 1, ['Elu'], [0.6]],
    ['RNN', 1, ['Softplus']],
    ['RNN', 2, ['Tanh', 'LeakyRelu'], [0.3]],
    ['GRU', 1, ['Sigmoid', 'LeakyRelu'], [0.3]],
    ['GRU', 1, ['HardSigmoid', 'Elu'], [0.3, 0.5], [0.4]],
    [
      'LSTM',
      2,
      ['Sigmoid', 'LeakyRelu', 'Tanh', 'HardSigmoid', 'LeakyRelu', 'Tanh'],
      [0.1, 0.3, 0.4],
      [0.45],
    ],
    ['LSTM', 1, ['sigmoid', 'TANH', 'Softsign']],
  ])('%s, %d way(s), %j %j %j', async (op, ways, ...activations) => {
    const { graph, y, feeds } = recurrent(op, ways, activations);
    const before = (await run(readModel(writeModel(graph.model)), feeds)).get(y)!;
    differentiate(graph, { of: y, wrt: ['x'], shapes: await learnTypes(graph.model, feeds) });
    expect(graph.proto.node.map(({ opType }) => opType)).not.toContain(op);
    expect(relativeError((await run(graph.model, feeds)).get(y)!, before)).toBeLessThan(1e-5);
  });

  it('refuses ThresholdedRelu, which ONNX Runtime computes in its own way', async () => {
    const { graph, y, feeds } = recurrent('RNN', 1, [['ThresholdedRelu'], [0.5]]);
    const shapes = await learnTypes(graph.model, feeds);
    expect(() => differentiate(graph, { of: y, wrt: ['x'], shapes })).toThrow(
      'Unexpected activation "ThresholdedRelu" at node RNN',
    );
  });
});
