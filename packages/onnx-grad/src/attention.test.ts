import type { Tensor } from '@gauntlet/onnx';
import { float, Graph, int64s } from '@gauntlet/onnx';

import { gradientModel } from './index.js';
import { numbers } from './testing/differences.js';
import { relativeError, run } from './testing/run.js';

const random = numbers(5);
const f32 = (...dims: number[]): Tensor => ({
  dtype: 'float32',
  dims,
  data: Float32Array.from(
    random(
      dims.reduce((product, dim) => product * dim, 1),
      -2,
      2,
    ),
  ),
});
const bools = (dims: number[], ...data: number[]): Tensor => ({
  dtype: 'bool',
  dims,
  data: Uint8Array.from(data),
});

// The second query may look nowhere.
const closed = bools([3, 3], 1, 0, 1, 0, 0, 0, 1, 1, 0);
const past = { 4: f32(2, 2, 2, 2), 5: f32(2, 2, 2, 2) };

/** Optional inputs of an Attention with 3 queries and 3 keys of 4 heads on 2, by their place. */
const operands: Record<string, Record<number, Tensor>> = {
  plain: {},
  'a float mask': { 3: f32(2, 1, 3, 3) },
  'a boolean mask': { 3: closed },
  'cached keys': past,
  'cached keys and a mask': { ...past, 3: f32(3, 5) },
};
const lengths: Record<number, Tensor> = { 6: int64s([3, 1]) };

const table = [0, 1].flatMap((causal) =>
  [0, 0.5].flatMap((cap) =>
    [0, 1, 2, 3].flatMap((mode) => [
      ...Object.keys(operands).map((name) => [23, name, causal, cap, mode] as const),
      ...[...Object.keys(operands), ...Object.keys(lengths)].map(
        (name) => [24, name, causal, cap, mode] as const,
      ),
    ]),
  ),
);

// What is written out in other ops must do what ONNX Runtime's own kernel does.
test.each(table)(
  'Attention of opset %d with %s, causal %d, softcap %d, scores %d',
  async (opset, name, causal, cap, mode) => {
    const graph = Graph.empty(opset);
    const given = operands[name] ?? lengths;
    const more = [3, 4, 5, 6].map((i) => (given[i] ? graph.constant(given[i]) : ''));
    const last = more.findLastIndex((input) => input !== '');
    const q = graph.input('x', 'float32', [2, 4, 3, 2]);
    const inputs = [
      q,
      graph.constant(f32(2, 2, 3, 2)),
      graph.constant(f32(2, 2, 3, 2)),
      ...more.slice(0, last + 1),
    ];
    const attributes = { is_causal: causal, softcap: float(cap), qk_matmul_output_mode: mode };
    const outputs = graph.nodes('Attention', inputs, 4, attributes);
    const node = graph.producer(outputs[0]!)!;
    if (!given[4]) node.output.splice(1, 2, '', '');
    graph.output(outputs[0]!, 'float32', [2, 4, 3, 2]);
    graph.output(outputs[3]!, 'float32', [2, 4, 3, given[4] ? 5 : 3]);
    const feeds = new Map([
      ['x', f32(2, 4, 3, 2)],
      ['cotangent', f32(2, 4, 3, 2)],
    ]);
    const expected = await run(graph.model, feeds);
    const found = await run(gradientModel(graph.model), feeds);
    for (const [output, tensor] of expected)
      expect(relativeError(bounded(found.get(output)!), bounded(tensor))).toBeLessThan(1e-5);
  },
);

/** Scores of forbidden places are low, by different numbers. */
const bounded = (tensor: Tensor): Tensor => ({
  ...tensor,
  data: (tensor.data as Float32Array).map((x) => Math.max(x, -100)),
});
