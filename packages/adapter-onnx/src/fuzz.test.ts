import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isGauntletError } from '@gauntlet/core';
import { temporary } from './testing/files.js';
import { SEEDS } from './testing/seeds.js';
import { mutate } from './testing/mutate.js';
import { prepare } from './prepare.js';
import { openTrial } from './trial.js';

const FIXTURES = fileURLToPath(new URL('../../../fixtures/', import.meta.url));
const folder = temporary();
afterAll(() => folder.remove());

const opOf = (file = '') => file.split('-')[0];

/** Small models of every kind, and one of every op. */
const files = ['models', 'sklearn', 'ops'].flatMap((name) =>
  readdirSync(FIXTURES + name)
    .filter((file) => file.endsWith('.onnx') && statSync(`${FIXTURES}${name}/${file}`).size < 20_000)
    .filter((file, i, all) => (name === 'ops' ? opOf(file) !== opOf(all[i - 1]) : !/gru|lstm/.test(file)))
    .map((file) => `${FIXTURES}${name}/${file}`),
);

const sources = [...files.map((file) => [file, readFileSync(file)] as const), ...SEEDS];

const COUNT = Number(process.env['FUZZ'] ?? 1200);
const FIRST = Number(process.env['FUZZ_FIRST'] ?? 0);

it.each(SEEDS)('%s in a whole model runs', async (op, bytes) => {
  const prepared = await prepare(folder.file(`${op}.onnx`, bytes), { bounds: [0, 1] });
  expect(prepared.batch).toBe('any');
});

// Half are damaged bytes, half are valid protobuf that makes no sense. FUZZ=10000 FUZZ_FIRST=5000 tries others.
it(`${COUNT} broken models run, or are refused in one sentence`, async () => {
  const trial = await openTrial({ memory: 4 * 2 ** 30, seconds: 5 });
  const failures: string[] = [];
  let reached = 0;
  try {
    for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
      const [source, whole] = sources[seed % sources.length]!;
      const bytes = mutate(whole, seed, Math.floor(seed / sources.length) % 2 === 0 ? 'bytes' : 'graph');
      const path = folder.file('broken.onnx', bytes);
      const outcome: unknown = await trial.prepare(path, { bounds: [0, 1] }).catch((error: unknown) => error);
      const message = outcome instanceof Error ? outcome.message : '';
      const sentence =
        isGauntletError(outcome) && /^Unexpected .+ at .*broken\.onnx.*, expected .+\. \w.+\.$/.test(message);
      if (message.includes('makes sense') || (outcome instanceof Error && !sentence)) {
        failures.push(`${seed} ${source}: ${message}`);
      }
      if (!(outcome instanceof Error) || /ONNX Runtime|scores of shape/.test(message)) reached++;
    }
  } finally {
    await trial.close();
  }
  expect(failures).toEqual([]);
  // Not just the reader is tried, and the process is kept while it lives.
  expect(reached).toBeGreaterThan(COUNT / 4);
  expect(trial.started).toBeLessThan(5 + COUNT / 100);
}, 3_600_000);
