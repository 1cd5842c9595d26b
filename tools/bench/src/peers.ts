import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { openOnnx } from '@gauntlet/adapter-onnx';
import pgd from '@gauntlet/attack-pgd';
import { apply, assemble, type Row } from '@gauntlet/core';
import npz from '@gauntlet/dataset-npz';
import { median } from './measure.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDER = `${ROOT}tools/bench/`;
const LIBRARIES = ['torchattacks', 'Foolbox', 'ART'] as const;
const STEPS = 40;

/** A model under an attack whose time to the verdict is compared. */
export interface Duel {
  readonly name: string;
  readonly model: string;
  readonly data: string;
  readonly epsilon: number;
  readonly samples: number;
  /** The samples that the other libraries are given at once. */
  readonly batch: number;
  /** How often each side runs, after once that warms it up; a run of minutes needs none. */
  readonly turns: number;
}

/** Seconds to the verdict, and the verdict. */
interface Timed {
  readonly seconds: number;
  readonly robust: number;
}

/** The medians of one duel, by who ran it. */
export type Duelled = Readonly<Record<'Gauntlet' | (typeof LIBRARIES)[number], Timed>>;

/** Where exported models go. */
export const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'gauntlet-bench-'));

/** The digit models, and an ImageNet classifier that the other side exports. */
export async function duels(peers: Peers, samples: number): Promise<Duel[]> {
  const folder = temporaryFolder();
  const [model, data] = [join(folder, 'efficientnet-lite0.onnx'), join(folder, 'photographs.npz')];
  const few = Math.ceil(samples / 5);
  await peers.ask({ do: 'export', samples: few, model, data });
  const digits = { data: `${ROOT}fixtures/digits/test500.npz`, samples, batch: 100, turns: 5 };
  return [
    { ...digits, name: 'digits', model: `${ROOT}examples/digits/digits.onnx`, epsilon: 0.1 },
    { ...digits, name: 'digits, hardened', model: `${ROOT}fixtures/models/digits-robust.onnx`, epsilon: 0.3 },
    { name: 'EfficientNet-Lite0', model, data, epsilon: 1 / 255, samples: few, batch: 10, turns: 1 },
  ];
}

/** Times a duel in turns, after one that warms all up, and gives medians. */
export async function duel(peers: Peers, one: Duel): Promise<Duelled> {
  const ours = await opponent(one);
  const runs = [
    ['Gauntlet', ours.run] as const,
    ...LIBRARIES.map(
      (library) =>
        [library, () => peers.ask<Timed>({ do: 'attack', library, ...one, steps: STEPS })] as const,
    ),
  ];
  const times = new Map<string, Timed[]>(runs.map(([name]) => [name, []]));
  for (let turn = one.turns > 1 ? 0 : 1; turn <= one.turns; turn++) {
    for (const [name, run] of runs) {
      const timed = await run();
      process.stderr.write(`${one.name}, ${name}: ${timed.seconds.toFixed(1)} s\n`);
      if (turn > 0) times.get(name)!.push(timed);
    }
  }
  await ours.close();
  const results = [...times].map(([name, all]) => [
    name,
    { seconds: median(all.map(({ seconds }) => seconds)), robust: all[0]!.robust },
  ]);
  return Object.fromEntries(results) as Duelled;
}

/** Our side: the model is open, and has been asked once, as that of the others. */
async function opponent({ model: path, data, epsilon, samples }: Duel) {
  const model = await openOnnx(path, { bounds: [0, 1], trial: false });
  const dataset = await npz.open(data, {
    bounds: [0, 1],
    shape: model.input.shape,
    options: { x: 'x', y: 'y' },
  });
  const assembled = await assemble(
    {
      model: { name: basename(path), sha256: '' },
      data: { name: dataset.name, fingerprint: dataset.fingerprint, samples },
      threatModel: {
        goal: { kind: 'untargeted' },
        confidence: 0,
        access: 'gradients',
        norm: 'linf',
        epsilons: [epsilon],
        box: [0, 1],
        queries: null,
      },
      attacks: [{ use: pgd.id, options: { steps: STEPS } }],
      restarts: 1,
      batchSize: Math.min(samples, 'callSize' in model ? (model.callSize ?? samples) : samples),
      seed: 0,
    },
    { model, dataset, attack: () => pgd },
  );
  const run = async (): Promise<Timed> => {
    const start = performance.now();
    const rows: Row[] = [];
    const io = { signal: new AbortController().signal, now: () => performance.now() / 1000 };
    for await (const shard of apply(assembled, io)) rows.push(...shard.rows);
    const held = rows.filter(({ verdict }) => verdict === 'held').length;
    return { seconds: (performance.now() - start) / 1000, robust: held / rows.length };
  };
  await model.scores((await dataset.batch(0, 1)).x);
  return { run, close: () => model.close() };
}

/** Other libraries, in one Python process of its own that lives as long as the benchmark. */
export class Peers {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  /** Starts it; the first time, installs the libraries into a virtual environment under tools/bench/.venv, which takes minutes. */
  constructor() {
    const python = `${FOLDER}.venv/bin/python`;
    if (!existsSync(`${FOLDER}.venv/ready`)) {
      run('python3', '-m', 'venv', `${FOLDER}.venv`);
      run(python, '-m', 'pip', 'install', '-q', '-r', `${FOLDER}python/requirements.txt`);
      // Its own pins are older than they need be.
      run(python, '-m', 'pip', 'install', '-q', '--no-deps', 'torchattacks==3.5.1');
      mkdirSync(`${FOLDER}.venv/ready`);
    }
    this.#child = spawn(python, [`${FOLDER}python/peers.py`], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Sends a request of peers.py and waits for its answer. */
  async ask<T>(request: object): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    // Libraries may print; answers are the lines of JSON.
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error('Unexpected end of peers.py, expected an answer. See what it printed.');
      if (value.startsWith('{')) return JSON.parse(value) as T;
    }
  }

  close(): void {
    this.#child.stdin.end();
  }
}

function run(program: string, ...args: string[]): void {
  const { status, error } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0)
    throw new Error(`Unexpected end of ${program} ${args.join(' ')}, expected success.`, { cause: error });
}
