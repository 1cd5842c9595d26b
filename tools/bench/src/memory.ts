/** `npm run bench:memory [-- MODEL.onnx ...]`: prints the peak memory of gradients beside that of forward passes of the same batch. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadRuntime, openOnnx } from '@gauntlet/adapter-onnx';
import { logOdds } from '@gauntlet/kit';
import { tensor } from '@gauntlet/tensor';
import { resnet50 } from './resnet50.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FIXTURES = ['residual-torchscript', 'mobilenet-v2-torchscript'];
const BATCHES = [1, 16, 64];
const RUNS = 3;

/** What a process does before it is measured: nothing, forward passes in a session of ONNX Runtime's, or gradients, in calls that the default limit cuts or in one. */
const WORKS = {
  nothing: async () => {
    await loadRuntime();
  },
  async forward(path: string, batch: number) {
    const { InferenceSession, Tensor } = await loadRuntime();
    const session = await InferenceSession.create(path, { logSeverityLevel: 4 });
    const [input] = session.inputMetadata;
    if (input?.isTensor !== true) throw new Error(`Unexpected input of ${path}, expected a tensor.`);
    const { data, shape } = samples(batch, input.shape.slice(1) as number[]);
    for (let run = 0; run < RUNS; run++)
      await session.run({ [input.name]: new Tensor('float32', data, shape) });
  },
  gradient: (path: string, batch: number) => gradients(path, batch),
  // As much memory as the batch takes: calls are not cut.
  uncut: (path: string, batch: number) => gradients(path, batch, { memory: Infinity }),
};

async function gradients(path: string, batch: number, limit: { memory?: number } = {}): Promise<void> {
  const model = await openOnnx(path, { bounds: [0, 1], ...limit });
  if (!('gradient' in model)) throw new Error(`Unexpected model without gradients at ${path}.`);
  const x = samples(batch, model.input.shape);
  const loss = logOdds({ kind: 'untargeted', classes: new Int32Array(batch), confidence: 0 });
  for (let run = 0; run < RUNS; run++) await model.gradient(x, loss);
}

function samples(batch: number, shape: readonly number[]) {
  const dims = [batch, ...shape];
  const size = dims.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => (Math.sin(i) + 1) / 2),
    dims,
  );
}

/** The most memory that this process has had, in MB. */
async function peak(): Promise<number> {
  // On Linux maxRSS begins with that of the parent.
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const own = /VmHWM:\s+(\d+)/.exec(status)?.[1];
  return (own === undefined ? process.resourceUsage().maxRSS : Number(own)) / 1024;
}

/** The most memory that a process of its own has for a work, in MB. */
function peakOf(work: keyof typeof WORKS, path = '', batch = 1): number {
  const args = [fileURLToPath(import.meta.url), '--work', work, path, String(batch)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout);
}

async function main(given: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gauntlet-memory-'));
  try {
    const large = join(folder, 'resnet50.onnx');
    await writeFile(large, resnet50());
    const fixtures = FIXTURES.map((name) => `${ROOT}fixtures/models/${name}.onnx`);
    const models = given.length > 0 ? given : [`${ROOT}examples/digits/digits.onnx`, ...fixtures, large];
    print(['model', 'batch', 'forward, MB', 'gradient, MB', 'ratio', 'in one call, MB', 'ratio']);
    print(['---', '---:', '---:', '---:', '---:', '---:', '---:']);
    for (const path of models) {
      for (const batch of BATCHES) {
        const forward = peakOf('forward', path, batch);
        const beside = (work: 'gradient' | 'uncut') => {
          const peak = peakOf(work, path, batch);
          return [Math.round(peak), (peak / forward).toFixed(2)];
        };
        print([basename(path), batch, Math.round(forward), ...beside('gradient'), ...beside('uncut')]);
      }
    }
    process.stdout.write(`\nNode with ONNX Runtime loaded: ${Math.round(peakOf('nothing'))} MB.\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const print = (cells: readonly (string | number)[]) => process.stdout.write(`| ${cells.join(' | ')} |\n`);

const [flag, work, path = '', batch] = process.argv.slice(2);
if (flag === '--work') {
  await WORKS[work as keyof typeof WORKS](path, Number(batch));
  process.stdout.write(String(await peak()));
  process.exit();
}
await main(process.argv.slice(2));
