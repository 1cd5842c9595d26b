import type { DType, Tensor } from '@gauntlet/onnx';
import { fromNumbers, Graph, numbersOf, writeModel } from '@gauntlet/onnx';
import * as ort from 'onnxruntime-node';

import { differentiate } from './index.js';
import { CUT, EXPANSIONS, RULES } from './rules/index.js';
import type { Case } from './testing/cases.js';
import { cases } from './testing/cases.js';
import { disagreement, numbers } from './testing/differences.js';
import { learnTypes, relativeError, run } from './testing/run.js';

const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);

/** How far the gradient of a case is from central differences; infinitely where the op, written out, gives something else. */
async function worst({ opset, dims, low, high, build }: Case, dtype: DType, step: number): Promise<number> {
  const random = numbers(7);
  const make = (shape: readonly number[], from: number, to: number): Tensor =>
    fromNumbers(dtype, random(size(shape), from, to), shape);
  const x = make(dims, low, high);
  const graph = Graph.empty(opset);
  const y = build(graph, graph.input('x', dtype, dims), (shape, from = -1, to = 1) =>
    graph.constant(make(shape, from, to)),
  );
  const shapes = await learnTypes(graph.model, new Map([['x', x]]));
  const out = shapes.get(y)!;
  const v = graph.constant(make(out.dims as number[], -1, 1));
  shapes.set(v, out);
  const weighted = graph.node('Mul', [y, graph.node('CastLike', [v, y])]);
  const loss = graph.node('ReduceSum', [graph.node('Cast', [weighted], { to: 11 })], { keepdims: 0 });
  graph.output(loss, 'float64', []);
  const before = (await run(graph.model, new Map([['x', x]]))).get(loss)!;
  const gradient = differentiate(graph, { of: loss, wrt: ['x'], shapes }).get('x')!;
  graph.output(gradient, dtype);
  const session = await ort.InferenceSession.create(writeModel(graph.model), {
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
  });
  const at = async (values: readonly number[]) => {
    const { data } = fromNumbers(dtype, values);
    return session.run({ x: new ort.Tensor(dtype as 'float32', data as Float32Array, dims) });
  };
  const start = numbersOf(x);
  const first = await at(start);
  const found = Array.from(first[gradient]!.data as Float32Array);
  const after = fromNumbers('float64', [Number(first[loss]!.data[0])], []);
  const claim = {
    at: new Map([['x', start]]),
    gradient: new Map([['x', found]]),
    value: async (lists: ReadonlyMap<string, readonly number[]>) =>
      Number((await at(lists.get('x')!))[loss]!.data[0]),
  };
  const error = await disagreement(claim, step);
  await session.release();
  return relativeError(after, before) < 1e-5 ? error : Infinity;
}

describe('gradients against central differences', () => {
  test.each(cases.map((one, i) => [one.op, i, one] as const))('%s (%d)', async (_, __, one) => {
    // In float64 where ONNX Runtime's CPU has the kernels, else in float32.
    // Shrink's float64 kernel counts in float32.
    const double =
      one.op === 'Shrink'
        ? undefined
        : await worst(one, 'float64', 1e-4).catch((error: Error) => {
            if (
              /NOT_IMPLEMENTED|Could not find an implementation|is invalid|not support|different types/i.test(
                error.message,
              )
            )
              return undefined;
            throw error;
          });
    if (double !== undefined) expect(double).toBeLessThan(1e-6);
    else expect(await worst(one, 'float32', 2 ** -9)).toBeLessThan(1e-2);
  });

  test('every rule is in the table', () => {
    const tested = new Set(cases.map(({ op }) => op));
    // Tested with the control flow, and with other ops on integers.
    const elsewhere = /^(com\.microsoft\.)?(De)?[qQ]uantizeLinear$|Integer$/;
    const missing = [...Object.keys(RULES), ...Object.keys(EXPANSIONS)].filter(
      (op) => !tested.has(op) && !elsewhere.test(op),
    );
    expect(missing).toEqual([]);
    expect(Object.keys(RULES).filter((op) => CUT.has(op))).toEqual([]);
  });
});
