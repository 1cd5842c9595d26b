import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { loadRuntime, trainOnnx } from '@gauntlet/adapter-onnx';
import pgd from '@gauntlet/attack-pgd';
import { maximise } from '@gauntlet/core';
import npz from '@gauntlet/dataset-npz';
import { crossEntropy } from '@gauntlet/kit';
import { median } from './measure.js';

/** CPU seconds that an epoch of adversarial training takes. */
export interface EpochTimes {
  readonly ours: number;
  /** PyTorch's. */
  readonly theirs: number;
}

const BATCH = 100;
const BATCHES = 80;
/** How many batches are done in a turn: an epoch runs warm. */
const IN_TURN = 8;

/**
 * Times an epoch of adversarial training (80 batches of 7 crafting steps and one update) beside PyTorch's, a tenth at a time in turns, each on
 * one thread: medians of CPU time, which other work on the machine disturbs least.
 *
 * @param python an interpreter that has PyTorch and NumPy.
 */
export async function timeEpochs(
  model: string,
  data: string,
  python: string,
  turns: number,
): Promise<EpochTimes> {
  const ours = await createOurs(model, data);
  const theirs = createTheirs(python, data);
  const times = { ours: [] as number[], theirs: [] as number[] };
  try {
    // The first turn warms up.
    for (let turn = 0; turn <= turns; turn++) {
      const [a, b] = [await ours.turn(turn), await theirs.turn()];
      if (turn === 0) continue;
      times.ours.push(a);
      times.theirs.push(b);
    }
    const epoch = (turns: readonly number[]) => (BATCHES / IN_TURN) * median(turns);
    return { ours: epoch(times.ours), theirs: epoch(times.theirs) };
  } finally {
    await ours.close();
    theirs.close();
  }
}

async function createOurs(path: string, data: string) {
  const { InferenceSession } = await loadRuntime();
  const create = InferenceSession.create.bind(InferenceSession) as (
    bytes: Uint8Array,
    options: object,
  ) => ReturnType<typeof InferenceSession.create>;
  Object.assign(InferenceSession, {
    create: (bytes: Uint8Array, options: object) =>
      create(bytes, { ...options, intraOpNumThreads: 1, interOpNumThreads: 1 }),
  });
  const optimiser = { kind: 'adam', rate: 1e-3 } as const;
  const model = await trainOnnx(path, { bounds: [0, 1], trial: false, optimiser });
  await model.initialise(0);
  const dataset = await npz.open(data, { bounds: [0, 1], options: { x: 'x', y: 'y' } });
  const { x, y, ids } = await dataset.batch(0, BATCH);
  const goal = { kind: 'untargeted', classes: y, confidence: 0 } as const;
  const batch = async (seed: number) => {
    const points = await maximise({
      attack: pgd,
      options: { steps: 7, stepSize: 0.25, randomStart: true },
      ...{ model, x, ids, goal, norm: 'linf', epsilon: 0.3, box: [0, 1], seed },
      signal: new AbortController().signal,
    });
    await model.update(points, crossEntropy(goal));
  };
  return {
    async turn(seed: number) {
      const start = process.cpuUsage();
      for (let i = 0; i < IN_TURN; i++) await batch(IN_TURN * seed + i);
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1e6;
    },
    close: () => model.close(),
  };
}

/** The same work in PyTorch: a process that does so many batches for each line that it reads, and answers with its CPU seconds. */
function createTheirs(python: string, data: string) {
  const script = fileURLToPath(new URL('../pytorch_epoch.py', import.meta.url));
  const child = spawn(python, [script, data, String(IN_TURN)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    async turn() {
      child.stdin.write('\n');
      const { value, done } = await lines.next();
      if (done === true)
        throw new Error(`Unexpected end of ${python}, expected one that has PyTorch and NumPy.`);
      return Number(value);
    },
    close: () => void child.stdin.end(),
  };
}
