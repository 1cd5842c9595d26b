import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ModelProto } from '@gauntlet/onnx';
import { BASE_OPSET, everyGraph, OLDEST_OPSET, opsetOf, readModel } from '@gauntlet/onnx';

import { CUT, EXPANSIONS, RULES, STAND_INS } from '../rules/index.js';
import { cases } from './cases.js';
import { openNodeTests } from './node-tests.js';

const FIXTURES = join(import.meta.dirname, '../../../../fixtures');

/** Ops that are gone before the walk begins: renamed by `upgrade`, or written out by `inline`. */
const BEFORE = [
  ...['If', 'Loop', 'Scan', 'Scatter', 'Upsample'],
  ...[
    'SequenceAt',
    'SequenceConstruct',
    'SequenceEmpty',
    'SequenceErase',
    'SequenceInsert',
    'SequenceLength',
  ],
  ...['ConcatFromSequence', 'SplitToSequence'],
];

/** How many tests there are of each op as it is since some opset. */
type Tally = Map<string, Map<number, number>>;

/** The opsets in which each op changed, up to the newest that is read. */
const versions = new Map(
  Object.entries(
    JSON.parse(readFileSync(join(FIXTURES, 'onnx/operators.json'), 'utf8')) as Record<
      string,
      readonly number[]
    >,
  ),
);

/** The opset since which an op is as it is in a given one. */
const sinceOf = (op: string, opset: number): number | undefined =>
  versions.get(op)?.findLast((version) => version <= opset);

function add(tally: Tally, op: string, opset: number): void {
  const since = sinceOf(op, opset);
  if (since === undefined) return;
  const counts = tally.get(op) ?? new Map<number, number>();
  tally.set(op, counts.set(since, (counts.get(since) ?? 0) + 1));
}

/** Counts each model once for every op that it holds. */
function tallyOf(models: Iterable<ModelProto>): Tally {
  const tally: Tally = new Map();
  for (const model of models) {
    const nodes = everyGraph(model.graph!).flatMap(({ node }) => node);
    const ops = new Set(nodes.flatMap(({ domain, opType }) => (domain === '' ? [opType] : [])));
    for (const op of ops) add(tally, op, opsetOf(model));
  }
  return tally;
}

/** The models of a folder that a record lies beside. */
function* recorded(folder: string): Generator<ModelProto> {
  for (const file of readdirSync(join(FIXTURES, folder))) {
    const path = join(FIXTURES, folder, file);
    if (file.endsWith('.onnx') && existsSync(path.replace(/onnx$/, 'npz')))
      yield readModel(readFileSync(path));
  }
}

/** The ops of a table that are ONNX's. */
const standard = (table: object): string[] => Object.keys(table).filter((op) => !op.includes('.'));

/** The page that says which ops have gradients, since which opset, and by what each is tested. */
export function coveragePage(): string {
  const skipped = JSON.parse(readFileSync(join(FIXTURES, 'onnx/skipped.json'), 'utf8')) as Record<
    string,
    readonly string[]
  >;
  const left = new Set(Object.values(skipped).flat());
  const tests = [...openNodeTests(join(FIXTURES, 'onnx/node-tests.zip'))];
  const passed = tests.flatMap(([name, read]) => (left.has(name) ? [] : [read().model]));
  const differences: Tally = new Map();
  for (const { op, opset } of cases) add(differences, op, opset);
  const tallies = [tallyOf(recorded('ops')), tallyOf(passed), differences, tallyOf(recorded('models'))];

  const cell = (counts: ReadonlyMap<number, number> | undefined) =>
    [...(counts ?? [])]
      .sort(([a], [b]) => a - b)
      .map(([since, count]) => `${since}: ${count}`)
      .join(', ');
  const shown = (op: string) => {
    const all = versions.get(op)!;
    const oldest = sinceOf(op, OLDEST_OPSET) ?? 0;
    return all.filter((version) => version >= oldest).join(', ');
  };
  const row = (op: string, how: string) =>
    `| ${[op, how, shown(op), ...tallies.map((tally) => cell(tally.get(op)))].join(' | ')} |`;
  const ways = new Map([
    ...standard(RULES).map((op) => [op, 'rule'] as const),
    ...Object.keys(EXPANSIONS).map((op) => [op, 'written out'] as const),
    ...BEFORE.map((op) => [op, 'written out'] as const),
    ...standard(STAND_INS).map((op) => [op, 'beside'] as const),
  ]);
  const own = [...Object.keys(RULES), ...Object.keys(STAND_INS)]
    .flatMap((op) => (op.includes('.') ? [op.split('.').at(-1)] : []))
    .sort();
  const known = [...versions.keys()].sort();
  const rest = known.filter((op) => !ways.has(op) && !CUT.has(op) && op !== 'Constant');
  const reasons = Object.entries(skipped).map(([reason, names]) => `| ${reason} | ${names.length} |`);
  return `# Coverage

Made from the code and the fixtures by \`UPDATE_COVERAGE=1 npm test -- packages/onnx-grad/src/coverage\`; a test compares it with both.

Each op of opset ${OLDEST_OPSET} to 24, with the opsets in which it changed. Opsets below ${BASE_OPSET} are brought to ${BASE_OPSET} first. A number of tests stands behind the
opset since which the op is as it is in those tests:

- **recorded**: small graphs whose gradients PyTorch computed in float64 (\`fixtures/ops\`)
- **node tests**: those of the ONNX project, against central differences (\`fixtures/onnx\`); in float64 where ONNX Runtime has kernels
- **differences**: further central differences (\`packages/onnx-grad/src/testing/cases.ts\`)
- **models**: whole models, exported by both of PyTorch's exporters, against PyTorch's gradient (\`fixtures/models\`)

An op has a rule, is written out in ops that have, or has others written out *beside* it: it stays as it is, and the gradient is theirs
([decision 21](decisions/0021-quantised-models.md)).

Branches, loops and sequences have tests of their own, \`packages/onnx-grad/src/control.test.ts\`.

## Ops with gradients

| op | how | changed in opset | recorded | node tests | differences | models |
| --- | --- | --- | --- | --- | --- | --- |
${[...ways]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([op, how]) => row(op, how))
  .join('\n')}

Of ONNX Runtime's own, \`com.microsoft\`, ops have a gradient that its quantisation makes: ${own.join(', ')}. They and the other ops on integers are compared with the float op between
DequantizeLinear and QuantizeLinear (\`packages/onnx-grad/src/quantised.test.ts\`).

## Ops through which no gradient passes

Their results do not move when their inputs do, or are no numbers: ${known.filter((op) => CUT.has(op) && !ways.has(op)).join(', ')}.

## Ops that are refused by name

Where a gradient would have to pass one of these, the message names op and node; a model that holds them elsewhere is differentiated. ${rest.join(', ')}.

## Node tests that are left out

${tests.length - left.size} of ${tests.length} node tests that take and give floats are differentiated; the others by reason:

| reason | tests |
| --- | --- |
${reasons.join('\n')}
`;
}
