/** `npm run bench [-- MODEL.onnx ...]`: prints what attacks cost beside ONNX Runtime's forward pass. */
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { loadRuntime } from '@gauntlet/adapter-onnx';
import { type ModelTimes, timeModel } from './models.js';
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

const BATCH = 64;
const TURNS = 7;

const print = (line: string) => process.stdout.write(`${line}\n`);
const row = (cells: readonly (string | number)[]) => print(`| ${cells.join(' | ')} |`);
const ms = (value: number) => value.toFixed(value < 10 ? 2 : 1);

const cells = ({ model, batch, forward, gradient, pgd, pgdRatio, single, best }: ModelTimes) => [
  model,
  batch,
  ms(forward),
  ms(gradient),
  ms(pgd),
  pgdRatio.toFixed(2),
  single.toFixed(2),
  `${best.ratio.toFixed(2)} (${best.batch})`,
];

const { env } = await loadRuntime();
print(
  `Node ${process.versions.node}, ONNX Runtime ${env.versions.node ?? env.versions.common}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, medians of ${TURNS} interleaved runs`,
);
print('');
row([
  'model',
  'batch',
  'forward ms',
  'gradient ms',
  'PGD-20 ms',
  'PGD / (40 forward)',
  'gradient / forward at 1',
  'at the best batch',
]);
row(['---', '---:', '---:', '---:', '---:', '---:', '---:', '---:']);
const given = process.argv.slice(2);
for (const path of given.length > 0 ? given : MODELS) row(cells(await timeModel(path, BATCH, TURNS)));

const { node, version } = await timeStartup(`${ROOT}apps/cli/bin/gauntlet.js`, 15);
print('');
print(
  `Start-up: gauntlet --version ${ms(version)} ms, node -e 0 ${ms(node)} ms, ratio ${(version / node).toFixed(2)}`,
);
