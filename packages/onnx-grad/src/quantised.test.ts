import type { Tensor } from '@gauntlet/onnx';
import { copyModel, fromNumbers, numbersOf, readModel, writeModel } from '@gauntlet/onnx';

import { differentiate } from './index.js';
import { RULES, STAND_INS } from './rules/index.js';
import { numbers } from './testing/differences.js';
import type { Case } from './testing/quantised.js';
import { between, build, cases } from './testing/quantised.js';
import { learnTypes, relativeError, run } from './testing/run.js';

/** Output before it was differentiated, the same afterwards, and the gradient of its sum, weighted at random. */
async function results(
  one: Case,
  isForm: boolean,
): Promise<readonly [before: Tensor, after: Tensor, gradient: Tensor]> {
  const graph = build(one, isForm);
  const output = graph.proto.output[0]!.name;
  const size = one.dims.reduce((product, dim) => product * dim, 1);
  const feeds = new Map([['x', fromNumbers('float32', numbers(5)(size, -1.5, 1.5), one.dims)]]);
  const before = (await run(readModel(writeModel(graph.model)), feeds)).get(output)!;
  const shapes = await learnTypes(copyModel(graph.model), feeds);
  const seed = graph.constant(fromNumbers('float32', numbers(9)(before.data.length, -1, 1), before.dims));
  const gradient = differentiate(graph, { of: output, wrt: ['x'], seed, shapes }).get('x')!;
  graph.output(gradient, 'float32');
  const found = await run(graph.model, feeds);
  return [before, found.get(output)!, found.get(gradient)!];
}

describe('the gradient of an op on integers is that of a float op between QuantizeLinear and DequantizeLinear', () => {
  test.each(
    [...cases, between].map((one) => [one.op, one.y === undefined ? 'floats' : 'levels', one] as const),
  )('%s to %s', async (_op, _kind, one) => {
    const [before, after, gradient] = await results(one, true);
    const [plain, , expected] = await results(one, false);
    expect(numbersOf(after)).toEqual(numbersOf(before));
    expect(relativeError(before, plain)).toBeLessThan(0.02);
    // An LSTM's states, which are rounded, are not those that its gradient is taken at.
    expect(relativeError(gradient, expected)).toBeLessThan(one.op.endsWith('LSTM') ? 0.02 : 1e-5);
    if (one.y === undefined || one === between) return;
    // What was cut off at an end of the range has no gradient.
    const levels = numbersOf(before).map((value) => Math.round(value / one.y![0]) + one.y![1]);
    expect(levels.some((level) => level === 255 || level === 0)).toBe(true);
    expect(numbersOf(gradient).some((value) => value !== 0)).toBe(true);
  });

  test.each(cases.map((one) => [one.op, one] as const))(
    '%s has none where quantisation has none',
    async (_op, one) => {
      const graph = build(one, true);
      const feeds = new Map([
        [
          'x',
          fromNumbers(
            'float32',
            numbers(5)(
              one.dims.reduce((a, b) => a * b),
              -1,
              1,
            ),
            one.dims,
          ),
        ],
      ]);
      const shapes = await learnTypes(copyModel(graph.model), feeds);
      const of = graph.proto.output[0]!.name;
      expect(() => differentiate(graph, { of, wrt: ['x'], shapes, quantisation: 'zero' })).toThrow(
        /Unexpected op \S*Quantize\w+ at .*lets a gradient through/,
      );
    },
  );

  test('every such op is in the table', () => {
    const tested = new Set(cases.map(({ op }) => op));
    const integer = Object.keys(RULES).filter((op) => op.endsWith('Integer'));
    const missing = [...Object.keys(STAND_INS), ...integer].filter((op) => !tested.has(op));
    // Before ConvInteger and the like.
    expect(missing).toEqual(['DynamicQuantizeLinear']);
  });
});
