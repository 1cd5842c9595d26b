import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certified, Row } from '@gauntlet/core';
import { writeNpz } from '@gauntlet/dataset-npz';
import type { Run } from '../index.js';

/** A name that does harm wherever it is not escaped. */
export const HOSTILE = `</script><script>alert("1")</script><img src=x onerror=alert(1)>'&|\`$& --><!--`;

/** What a test says of a row; the rest follows. */
export type Fate = Partial<Row> & Pick<Row, 'sample' | 'verdict'>;

/** A row: by default of attack/pgd in linf at 0.1, on a sample of class 1. */
export const rowOf = ({ verdict, ...more }: Fate): Row => ({
  model: 'toy.onnx',
  attack: 'attack/pgd',
  finds: 'within-budget',
  norm: 'linf',
  epsilon: 0.1,
  label: 1,
  target: null,
  clean: verdict === 'misclassified' ? 2 : 1,
  adversarial: verdict === 'held' ? 1 : 2,
  verdict,
  distance: verdict === 'broken' ? { l0: 1, l1: 0.1, l2: 0.1, linf: 0.1 } : null,
  queries: verdict === 'misclassified' ? 0 : 3,
  gradients: verdict === 'misclassified' ? 0 : 1,
  seconds: 0,
  seed: 0,
  ...more,
});

/** A certificate of certifier/ibp in linf at 0.1, on a sample of class 1 that is answered correctly. */
export const certified = (sample: number, certificate: Certified['certificate'], answer = 1): Certified => ({
  ...{ model: 'toy.onnx', certifier: 'certifier/ibp', sample, norm: 'linf', epsilon: 0.1 },
  ...{ label: 1, answer, certificate, seconds: 0, seed: 0 },
});

/** A plan that the rows could come from. */
export function planOf(rows: readonly Row[], more: object = {}): Run['plan'] {
  const distinct = <T>(values: readonly T[]) => [...new Set(values)];
  return {
    model: { name: 'toy.onnx', sha256: 'aa' },
    data: { name: 'toy.npz', fingerprint: 'bb', samples: distinct(rows.map(({ sample }) => sample)).length },
    threatModel: {
      goal: { kind: 'untargeted' },
      access: 'gradients',
      confidence: 0,
      norm: rows[0]!.norm as 'linf',
      epsilons: distinct(rows.map(({ epsilon }) => epsilon)).sort((a, b) => a - b),
      box: [0, 1],
      queries: null,
    },
    attacks: distinct(rows.map(({ attack }) => attack)).map((use) => ({ use, options: {} })),
    restarts: 1,
    batchSize: 10,
    seed: 7,
    engine: 'onnx',
    externalData: {},
    source: { use: 'dataset/npz', options: { x: 'x', y: 'y' } },
    input: {},
    versions: { '@gauntlet/cli': '0.1.0' },
    ...more,
  };
}

/** A finished run of some rows. */
export const runOf = (rows: readonly Row[], plan: object = {}, name = 'run'): Run => ({
  name,
  plan: planOf(rows, plan),
  rows,
  certificates: [],
  audit: { results: [], notRun: [], versions: {} },
});

/** Writes a run as `gauntlet audit` leaves it; pictures where samples are given. */
export async function writeRun(
  folder: string,
  run: Run,
  pictures?: { readonly shape: readonly number[]; readonly x: Float32Array; readonly xAdv: Float32Array },
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(run.plan));
  writeFileSync(join(folder, 'outcomes.jsonl'), run.rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  writeFileSync(
    join(folder, 'certificates.jsonl'),
    run.certificates.map((one) => `${JSON.stringify(one)}\n`).join(''),
  );
  if (run.audit !== null) writeFileSync(join(folder, 'audit.json'), JSON.stringify(run.audit));
  if (pictures === undefined) return;
  const bytes = (numbers: Float32Array | BigInt64Array) => [new Uint8Array(numbers.buffer)];
  const n = run.rows.length;
  const { shape, x, xAdv } = pictures;
  if (run.audit === null) {
    writeFileSync(join(folder, 'x.part'), bytes(x)[0]!);
    writeFileSync(join(folder, 'x_adv.part'), bytes(xAdv)[0]!);
    return;
  }
  await writeNpz(join(folder, 'adversarial.npz'), [
    { name: 'x', dtype: '<f4', shape: [n, ...shape], data: bytes(x) },
    { name: 'x_adv', dtype: '<f4', shape: [n, ...shape], data: bytes(xAdv) },
    {
      name: 'y',
      dtype: '<i8',
      shape: [n],
      data: bytes(BigInt64Array.from(run.rows, ({ label }) => BigInt(label))),
    },
  ]);
}
