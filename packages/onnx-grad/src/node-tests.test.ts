import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { DType, Tensor } from '@gauntlet/onnx';
import {
  copyModel,
  fromNumbers,
  Graph,
  inline,
  isFloat,
  numbersOf,
  OnnxError,
  upgrade,
} from '@gauntlet/onnx';

import { differentiate } from './index.js';
import { convolve } from './testing/convolution.js';
import { disagreement, numbers } from './testing/differences.js';
import type { NodeTest } from './testing/node-tests.js';
import { openNodeTests, prepared } from './testing/node-tests.js';
import { learnTypes, openSession, relativeError } from './testing/run.js';

const FOLDER = join(import.meta.dirname, '../../../fixtures/onnx');
const SKIPPED = join(FOLDER, 'skipped.json');
const tests = openNodeTests(join(FOLDER, 'node-tests.zip'));

/** Names of tests by why they cannot be differentiated; written anew by UPDATE_SKIPPED=1. */
const skipped = (existsSync(SKIPPED) ? JSON.parse(readFileSync(SKIPPED, 'utf8')) : {}) as Record<
  string,
  readonly string[]
>;

/** Kernels for float64 that count in float32. */
const SINGLE = /^(group_normalization|shrink)/;

type Lists = ReadonlyMap<string, readonly number[]>;

/** How far gradients are from central differences of the model as it came, in multiples of what is allowed; infinite where the results differ already. */
async function errorOf(name: string, dtype: DType): Promise<number> {
  const test = prepared(name, tests.get(name)!(), dtype);
  const { model, feeds } = test;
  const forward = await openSession(model);
  try {
    const outputs = new Map([...(await forward.run(feeds))].filter(([, { dtype: type }]) => isFloat(type)));
    const random = numbers(13);
    const weights = new Map([...outputs].map(([output, { data }]) => [output, random(data.length, -1, 1)]));
    const { results, gradient } = await backward(test, weights);
    if ([...outputs].some(([output, tensor]) => relativeError(results.get(output)!, tensor) > 1e-5))
      return Infinity;

    const tensors = (at: Lists) =>
      new Map([...at].map(([input, values]) => [input, fromNumbers(dtype, values, feeds.get(input)!.dims)]));
    const [node] = model.graph!.node;
    const exact = dtype === 'float64' || node!.opType === 'Conv' || node!.opType === 'ConvTranspose';
    const outputsAt = async (at: Lists): Promise<Lists> => {
      if (dtype !== 'float64' && exact)
        return new Map([...outputs].map(([output, { dims }]) => [output, convolve(node!, feeds, at, dims)]));
      return new Map(
        [...(await forward.run(tensors(at)))].map(([output, tensor]) => [output, numbersOf(tensor)]),
      );
    };
    const value = async (at: Lists) => {
      const values = await outputsAt(at);
      return [...weights].reduce(
        (total, [output, weight]) => values.get(output)!.reduce((sum, y, i) => sum + y * weight[i]!, total),
        0,
      );
    };
    const at = new Map([...feeds].map(([input, tensor]) => [input, numbersOf(tensor)]));
    return (await disagreement({ at, gradient, value }, exact ? 1e-4 : 2 ** -6)) / (exact ? 1e-6 : 1e-3);
  } finally {
    await forward.release();
  }
}

/** The outputs of the model that is differentiated, and the gradient of the sum of its outputs times weights by input. */
async function backward(
  { model, feeds }: NodeTest,
  weights: Lists,
): Promise<{ results: Map<string, Tensor>; gradient: Lists }> {
  const copy = inline(upgrade(copyModel(model)));
  const shapes = await learnTypes(copy, feeds);
  const graph = new Graph(copy);
  const parts = [...weights].map(([output, values]) => {
    const type = shapes.get(output)!;
    const weight = graph.constant(fromNumbers(type.dtype, values, type.dims as number[]));
    shapes.set(weight, type);
    const part = graph.node('ReduceSum', [graph.node('Mul', [output, weight])], { keepdims: 0 });
    return graph.node('Cast', [part], { to: 11 });
  });
  const of = graph.node('Sum', parts);
  const found = differentiate(graph, { of, wrt: [...feeds.keys()], shapes, unreached: 'zeros' });
  const names = [...found].map(([input, gradient]) => {
    return [input, graph.output(graph.node('Identity', [gradient]), shapes.get(input)!.dtype)] as const;
  });
  const session = await openSession(copy);
  try {
    const results = await session.run(feeds);
    return {
      results,
      gradient: new Map(names.map(([input, output]) => [input, numbersOf(results.get(output)!)])),
    };
  } finally {
    await session.release();
  }
}

/** Ops whose gradient is no derivative, so that differences say nothing. */
const CONSTANT_SCALE = /^dynamicquantizelinear(?!.*_expanded)/;

/** `tested`, or why a test cannot be differentiated. In float64 where there are kernels, else in float32. */
async function outcomeOf(name: string): Promise<string> {
  if (CONSTANT_SCALE.test(name)) return 'its scale counts as constant';
  let reason = '';
  for (const dtype of SINGLE.test(name) ? (['float32'] as const) : (['float64', 'float32'] as const)) {
    try {
      const error = await errorOf(name, dtype);
      return error < 1 ? 'tested' : `wrong in ${dtype}: ${error} times the limit`;
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof OnnxError)
        return message.replace(/^Unexpected (.*?)( "[^"]*")?( that .*)? at .*$/s, 'refused: $1$3');
      reason = /Could not find an implementation/.test(message)
        ? 'ONNX Runtime has no kernel'
        : 'ONNX Runtime refuses the model';
    }
  }
  return reason;
}

const outcomes = new Map<string, string>();

test.each([...tests.keys()])('%s', async (name) => {
  const outcome = await outcomeOf(name);
  outcomes.set(name, outcome);
  const expected = Object.keys(skipped).find((reason) => skipped[reason]!.includes(name)) ?? 'tested';
  if (process.env.UPDATE_SKIPPED === undefined) expect(outcome).toBe(expected);
});

test('the counts are as they were', () => {
  const reasons: Record<string, string[]> = {};
  for (const [name, outcome] of outcomes) (reasons[outcome] ??= []).push(name);
  const { tested, ...others } = reasons;
  const sorted = Object.fromEntries(Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1)));
  if (process.env.UPDATE_SKIPPED !== undefined)
    writeFileSync(SKIPPED, `${JSON.stringify(sorted, undefined, 2)}\n`);
  expect({ tested: tested?.length, skipped: outcomes.size - (tested?.length ?? 0) }).toEqual({
    tested: 987,
    skipped: 64,
  });
});
