import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { AttributeProto, ModelProto, NodeProto } from '@gauntlet/onnx';
import { OnnxError, readModel, writeModel } from '@gauntlet/onnx';

import { gradientModel } from './index.js';
import type { Rule } from './rule.js';
import { EXPANSIONS, RULES, STAND_INS } from './rules/index.js';
import { openNodeTests } from './testing/node-tests.js';

const FIXTURES = join(import.meta.dirname, '../../../fixtures');
const recorded = readdirSync(join(FIXTURES, 'ops')).flatMap((file) =>
  file.endsWith('.onnx') ? [[file, () => readModel(readFileSync(join(FIXTURES, 'ops', file)))] as const] : [],
);
const nodeTests = [...openNodeTests(join(FIXTURES, 'onnx/node-tests.zip'))].map(
  ([name, read]) => [name, () => read().model] as const,
);

/** A small stream of random numbers (mulberry32). */
function stream(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { next, pick: <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)]! };
}

type Random = ReturnType<typeof stream>;

const ODD = [0n, 1n, -1n, 2n, 3n, 7n, -9n, 100n, 2n ** 31n, 2n ** 40n, -(2n ** 63n), 2n ** 63n - 1n];

function bend(attribute: AttributeProto, random: Random): void {
  const changes = [
    () => (attribute.type = random.pick([1, 2, 3, 4, 5, 6, 7, 8])),
    () => (attribute.i = random.pick(ODD)),
    () => (attribute.f = random.pick([0, -1, NaN, Infinity, 1e38])),
    () => (attribute.ints = attribute.ints.map(() => random.pick(ODD))),
    () => attribute.ints.push(random.pick(ODD)),
    () => (attribute.ints = []),
    () =>
      (attribute.s = new TextEncoder().encode(
        random.pick(['', 'reflect', 'nonsense', 'ij,jk', 'SAME_UPPER']),
      )),
    () => (attribute.name = random.pick(['axis', 'axes', 'group', 'perm', 'mode'])),
  ];
  random.pick(changes)();
}

const OPS = (
  'Conv Slice Pad Gemm Einsum LSTM Resize Gather Concat MaxPool Cast Attention RotaryEmbedding GridSample AffineGrid Col2Im CenterCropPad ' +
  'Compress MaxUnpool Tile SoftmaxCrossEntropyLoss DequantizeLinear Scan Loop SplitToSequence SequenceAt SequenceInsert ' +
  'SequenceErase ConcatFromSequence'
)
  .split(' ')
  .concat(
    'ConvInteger MatMulInteger com.microsoft.QuantizeLinear com.microsoft.DequantizeLinear'.split(' '),
    Object.keys(STAND_INS),
  );

/** One change that keeps the file a valid protobuf. */
function mutate(model: ModelProto, random: Random): void {
  const graph = model.graph!;
  const node: NodeProto = random.pick(graph.node);
  const infos = [...graph.input, ...graph.output];
  const shapes = infos.flatMap(({ type }) => (type?.value.case === 'tensorType' ? [type.value.value] : []));
  const changes = [
    () => node.attribute.length > 0 && bend(random.pick(node.attribute), random),
    () => (node.attribute = node.attribute.filter(() => random.next() < 0.5)),
    () => {
      const name = random.pick(OPS);
      node.opType = name.replace(/^com\.microsoft\./, '');
      node.domain = name.includes('.') ? 'com.microsoft' : '';
    },
    () => node.input.splice(Math.floor(random.next() * node.input.length), 1),
    () =>
      (node.input[Math.floor(random.next() * node.input.length)] = random.pick([
        '',
        'nowhere',
        node.output[0] ?? 'y',
      ])),
    () => node.input.reverse(),
    () => node.input.push(random.pick(node.input) ?? ''),
    () => (node.output = random.next() < 0.5 ? [] : [...node.output, 'more']),
    () => shapes.length > 0 && (random.pick(shapes).elemType = random.pick([0, 1, 6, 7, 8, 9, 10, 11, 99])),
    () => shapes.length > 0 && random.pick(shapes).shape?.dim.pop(),
    () => {
      const dim = shapes.length > 0 ? (random.pick(shapes).shape?.dim ?? []) : [];
      if (dim.length > 0) random.pick(dim).value = { case: 'dimValue', value: random.pick(ODD) };
    },
    () => {
      const dim = shapes.length > 0 ? (random.pick(shapes).shape?.dim ?? []) : [];
      if (dim.length > 0) random.pick(dim).value = { case: 'dimParam', value: 'K' };
    },
    () => graph.initializer.length > 0 && (random.pick(graph.initializer).dims = [random.pick(ODD)]),
    () =>
      graph.initializer.length > 0 &&
      (random.pick(graph.initializer).dataType = random.pick([0, 1, 7, 10, 16, 99])),
    () => graph.initializer.length > 0 && (random.pick(graph.initializer).rawData = new Uint8Array(3)),
    () => (graph.node = [...graph.node, ...graph.node]),
    () => (graph.output = []),
  ];
  random.pick(changes)();
}

/** Notes the ops whose rules are called from now on. */
function watched(...tables: readonly object[]): ReadonlySet<string> {
  const called = new Set<string>();
  for (const table of tables as readonly Record<string, Rule>[]) {
    for (const [op, rule] of Object.entries(table)) {
      table[op] = (site) => {
        called.add(op);
        return rule(site);
      };
    }
  }
  return called;
}

test('a damaged graph gives a gradient graph or an OnnxError in one sentence, and nothing else; every rule sees some', () => {
  const random = stream(3);
  const counts = { made: 0, refused: 0 };
  const called = watched(RULES, EXPANSIONS, STAND_INS);
  for (let round = 0; round < 6000; round++) {
    const sources = round % 2 === 0 ? recorded : nodeTests;
    const [name, read] = sources[Math.floor(round / 2) % sources.length]!;
    const model = read();
    for (let times = 1 + Math.floor(random.next() * 3); times > 0; times--) mutate(model, random);
    try {
      writeModel(gradientModel(model));
      counts.made++;
    } catch (error) {
      if (!(error instanceof OnnxError)) throw new Error(`round ${round}, ${name}`, { cause: error });
      expect(error.message).toMatch(/^Unexpected .*, expected .*\. [A-Z][^\n]*\.$/);
      counts.refused++;
    }
  }
  expect(Math.min(counts.made, counts.refused)).toBeGreaterThan(500);
  expect([RULES, EXPANSIONS, STAND_INS].flatMap(Object.keys).filter((op) => !called.has(op))).toEqual([]);
});
