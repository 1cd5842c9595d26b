import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Tensor } from '@gauntlet/onnx';
import { fromNumbers, Graph, numbersOf, readModel, upgrade, writeModel } from '@gauntlet/onnx';

import { differentiate } from './index.js';
import { readNpz } from './testing/npz.js';
import { learnTypes, relativeError, run } from './testing/run.js';

const FOLDER = join(import.meta.dirname, '../../../fixtures/ops');
const cases = existsSync(FOLDER)
  ? readdirSync(FOLDER).flatMap((file) => (file.endsWith('.onnx') ? [file.slice(0, -5)] : []))
  : [];

/** The tensors whose name starts with a prefix, without it. */
const pick = (record: Map<string, Tensor>, prefix: string) =>
  new Map(
    [...record].flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
    ),
  );

/** Appends sum(out * v) over all outputs with a cotangent and differentiates it with respect to the recorded inputs. */
async function gradients(name: string, lowering: 'blocked' | 'plain') {
  const record = readNpz(join(FOLDER, `${name}.npz`));
  const model = upgrade(readModel(readFileSync(join(FOLDER, `${name}.onnx`))));
  const feeds = new Map(pick(record, 'in:'));
  const shapes = await learnTypes(model, feeds);
  const graph = new Graph(model);
  const parts = [...pick(record, 'v:')].map(([output, cotangent]) => {
    // Old exporters declare wrong sizes for pools in ceil mode, so the cotangent leaves them open.
    const { dtype, dims } = shapes.get(output)!;
    const open = dims.map((_, i) => `${output}.v${i}`);
    const v = graph.input('cotangent', dtype, open);
    shapes.set(v, { dtype, dims });
    feeds.set(v, fromNumbers(dtype, numbersOf(cotangent), cotangent.dims));
    const part = graph.node('ReduceSum', [graph.node('Mul', [output, v])], { keepdims: 0 });
    return dtype === 'float32' ? part : graph.node('Cast', [part], { to: 1 });
  });
  const of = graph.node('Sum', parts);
  const expected = pick(record, 'grad:');
  const wrt = [...expected.keys()];
  const found = differentiate(graph, { of, wrt, shapes, lowering, unreached: 'zeros' });
  for (const [input, gradient] of found) {
    found.set(input, graph.output(graph.node('Identity', [gradient]), shapes.get(input)!.dtype));
  }
  const wanted = [...found.values(), ...pick(record, 'out:').keys()];
  return { record, expected, found, results: await run(readModel(writeModel(model)), feeds, wanted) };
}

// Only masks are written in two ways.
const masked = cases.filter((name) => /^(relu|clip|hardsigmoid|maxpool|conv|graph)/.test(name));
const table = [
  ...cases.map((name) => [name, 'blocked'] as const),
  ...masked.map((name) => [name, 'plain'] as const),
];

describe('gradients recorded from PyTorch', () => {
  test.each(table)('%s, %s lowering', async (name, lowering) => {
    const { record, expected, found, results } = await gradients(name, lowering);
    const half = [...record.values()].some(({ dtype }) => dtype === 'float16');
    const limit = half ? 5e-3 : 1e-5;
    for (const [output, value] of pick(record, 'out:')) {
      expect(relativeError(results.get(output)!, value)).toBeLessThan(limit);
    }
    for (const [input, gradient] of expected) {
      expect(relativeError(results.get(found.get(input)!)!, gradient)).toBeLessThan(limit);
    }
  });
});
