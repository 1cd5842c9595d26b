/**
 * `npm run bench [-- MODEL.onnx ...]`: prints what attacks cost beside ONNX Runtime's forward pass.
 * `npm run bench -- --zoo` does so for torchvision's models, which it installs.
 * `npm run bench -- --peers [SAMPLES]`: prints what a verdict costs beside other libraries, which it installs.
 */
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { loadRuntime } from '@gauntlet/adapter-onnx';
import { type ModelTimes, timeModel } from './models.js';
import { duel, duels, Peers, temporaryFolder } from './peers.js';
import { timeStartup } from './startup.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FIXTURES = [
  'mlp',
  'cnn-torchscript',
  'residual-torchscript',
  'efficient-torchscript',
  'resnet-torchscript',
  'mobilenet-v2-torchscript',
];
const MODELS = [
  `${ROOT}examples/digits/digits.onnx`,
  ...FIXTURES.map((name) => `${ROOT}fixtures/models/${name}.onnx`),
];

const print = (line: string) => process.stdout.write(`${line}\n`);
const row = (cells: readonly (string | number)[]) => print(`| ${cells.join(' | ')} |`);
const ms = (value: number) => value.toFixed(value < 10 ? 2 : 1);

const cells = ({ model, build, batch, forward, gradient, pgd, ratio, single, pgdRatio }: ModelTimes) => [
  model,
  ms(build),
  batch,
  ...[forward, gradient, pgd].map(ms),
  ...[single, ratio, pgdRatio].map((value) => value.toFixed(2)),
];

const { env } = await loadRuntime();
print(
  `Node ${process.versions.node}, ONNX Runtime ${env.versions.node ?? env.versions.common}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, medians of interleaved runs`,
);
const [first = '', ...rest] = process.argv.slice(2);
if (first === '--peers') await comparePeers(Number(rest[0] ?? 500));
else if (first === '--zoo') await compareForward(await zoo());
else {
  await compareForward(first === '' ? MODELS : [first, ...rest]);
  await compareStartup();
}

async function comparePeers(samples: number): Promise<void> {
  const peers = new Peers();
  print('');
  row([
    'model',
    'epsilon',
    'samples',
    'Gauntlet s (robust)',
    'torchattacks',
    'Foolbox',
    'ART',
    'ratio to the fastest',
  ]);
  row(['---', '---:', '---:', '---:', '---:', '---:', '---:', '---:']);
  const ratios: number[] = [];
  for (const one of await duels(peers, samples)) {
    const { Gauntlet, ...others } = await duel(peers, one);
    const ratio = Gauntlet.seconds / Math.min(...Object.values(others).map(({ seconds }) => seconds));
    ratios.push(ratio);
    const verdicts = [Gauntlet, others.torchattacks, others.Foolbox, others.ART].map(
      ({ seconds, robust }) => `${seconds.toFixed(1)} (${(100 * robust).toFixed(1)}%)`,
    );
    row([one.name, one.epsilon.toFixed(3), one.samples, ...verdicts, ratio.toFixed(2)]);
  }
  peers.close();
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  print('');
  print(`Geometric mean of the ratios: ${mean.toFixed(2)}`);
}

/** torchvision's models at full size. */
async function zoo(): Promise<readonly string[]> {
  const peers = new Peers();
  const { models } = await peers.ask<{ models: string[] }>({ do: 'zoo', folder: temporaryFolder() });
  peers.close();
  return models;
}

async function compareForward(paths: readonly string[]): Promise<void> {
  print('');
  row([
    'model',
    'build ms',
    'batch',
    'forward ms',
    'gradient ms',
    'PGD-40 ms',
    'gradient / forward at 1',
    'at the batch',
    'PGD / (80 forward)',
  ]);
  row(['---', '---:', '---:', '---:', '---:', '---:', '---:', '---:', '---:']);
  for (const path of paths) row(cells(await timeModel(path)));
}

async function compareStartup(): Promise<void> {
  const { node, version } = await timeStartup(`${ROOT}apps/cli/bin/gauntlet.js`, 15);
  print('');
  print(
    `Start-up: gauntlet --version ${ms(version)} ms, node -e 0 ${ms(node)} ms, ratio ${(version / node).toFixed(2)}`,
  );
}
