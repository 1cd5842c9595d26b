import { Graph, writeModel } from '@gauntlet/onnx';
import { chain, floats, type InnerPort, loopBody, subgraph } from './files.js';

/** Bodies of models that take [N, 16] to class scores, by an op of which no fixture is. */
const BODIES: Readonly<Record<string, (graph: Graph, x: string) => string>> = {
  DFT: (graph, x) => graph.node('DFT', [graph.node('Unsqueeze', [x, graph.ints([2])])], { axis: 1 }),
  STFT: (graph, x) => {
    const window = floats(graph, [4], [0.5, 1, 1, 0.5]);
    const scalar = (value: number) =>
      graph.constant({ dtype: 'int64', dims: [], data: BigInt64Array.of(BigInt(value)) });
    return graph.node('STFT', [graph.node('Unsqueeze', [x, graph.ints([2])]), scalar(4), window, scalar(4)]);
  },
  Range: (graph, x) => {
    const ends = [0, 4, 0.25].map((value) => graph.scalar('float32', value));
    return graph.node('Mul', [x, graph.node('Range', ends)]);
  },
  OneHot: (graph, x) => {
    const largest = graph.node('ArgMax', [x], { axis: 1, keepdims: 0 });
    const hot = graph.node('OneHot', [largest, graph.ints([16]), floats(graph, [2], [0, 1])]);
    return graph.node('Mul', [x, hot]);
  },
  If: (graph, x) => {
    const branch = (op: string) =>
      subgraph([], (inner) => [[inner.node(op, [x], {}, { outputs: [op] }), 'float32']]);
    const sum = graph.node('ReduceSum', [x], { keepdims: 0 });
    const positive = graph.node('Greater', [sum, graph.scalar('float32', 0)]);
    return graph.node('If', [positive], { then_branch: branch('Exp'), else_branch: branch('Neg') });
  },
  Loop: (graph, x) => {
    const body = loopBody((inner, state) => inner.node('Sin', [state], {}, { outputs: ['next'] }));
    return graph.node('Loop', [graph.ints([3]), '', x], { body });
  },
  Scan: (graph, x) => {
    const inputs: InnerPort[] = [
      ['state', 'float32'],
      ['row', 'float32'],
    ];
    const body = subgraph(inputs, (inner) => [
      [inner.node('Mul', ['state', 'row'], {}, { outputs: ['next'] }), 'float32'],
    ]);
    const values = Array.from({ length: 48 }, (_, i) => Math.cos(i));
    return graph.node('Scan', [x, floats(graph, [3, 16], values)], { body, num_scan_inputs: 1 });
  },
};

/** Small models by the ops of which no fixture is. */
export const SEEDS: readonly (readonly [op: string, bytes: Uint8Array])[] = Object.entries(BODIES).map(
  ([op, body]) => {
    const graph = Graph.empty(18);
    chain(['N', 16], (on, x) => on.node('Flatten', [body(on, x)]))(graph);
    return [op, writeModel(graph.model)];
  },
);
