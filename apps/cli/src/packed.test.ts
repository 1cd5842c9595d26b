import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Row, worstCase } from '@gauntlet/core';
import { argmax, distance, row, tensor, within } from '@gauntlet/tensor';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type AuditJson, auditJson } from './index.js';
import { gauntlet, installPacked, type Outcome, ROOT } from './testing/packed.js';

const { default: npz } = await import('@gauntlet/dataset-npz');

const MODEL = `${ROOT}examples/digits/digits.onnx`;
const DATA = `${ROOT}examples/digits/digits.npz`;

// Each test starts whole processes, on machines that may have other things to do.
import.meta.jest.setTimeout(120_000);

let user = '';
beforeAll(() => {
  user = installPacked([
    '@gauntlet/cli',
    '@gauntlet/adapter-onnx',
    '@gauntlet/attack-fgsm',
    '@gauntlet/attack-pgd',
  ]);
});
afterAll(() => rmSync(user, { recursive: true, force: true }));

const audit = (...args: string[]) => gauntlet(user, ['audit', MODEL, '--data', DATA, ...args]);
const text = (path: string) => readFileSync(join(user, path), 'utf8');
const rowsOf = (folder: string) =>
  text(`${folder}/outcomes.jsonl`)
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Row);
const auditOf = (folder: string) => JSON.parse(text(`${folder}/audit.json`)) as AuditJson;

/** What must be the same in two runs of one plan. */
const strip = (one: Row): Row => ({ ...one, seconds: 0 });
const bytes = (numbers: Float32Array) => Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);

async function arraysOf(folder: string) {
  const read = async (x: string) => {
    const path = join(user, folder, 'adversarial.npz');
    const set = await npz.open(path, { bounds: [0, 1], options: { x, y: 'y' } });
    return set.batch(0, set.samples);
  };
  return { clean: await read('x'), adversarial: await read('x_adv') };
}

describe('what is packed', () => {
  it('brings what an audit needs and nothing else', () => {
    expect(readdirSync(join(user, 'node_modules/@gauntlet')).sort()).toEqual(
      [
        'adapter-onnx',
        'attack-fgsm',
        'attack-pgd',
        'cli',
        'core',
        'dataset-npz',
        'gate',
        'kit',
        'metric-queries-to-success',
        'metric-certified-accuracy',
        'metric-robust-accuracy',
        'onnx',
        'onnx-bounds',
        'onnx-grad',
        'onnx-train',
        'report',
        'tensor',
        'tfjs-onnx',
      ].sort(),
    );
  });

  it('lists its plugins', async () => {
    const { status, out } = await gauntlet(user, ['plugins', '--json']);
    const listed = JSON.parse(out) as { id: string; kind: string; access?: string; options: object[] }[];
    expect(status).toBe(0);
    expect(listed.map(({ id, access, options }) => [id, access, options.length > 0])).toEqual([
      ['adapter/onnx', undefined, false],
      ['attack/fgsm', 'gradients', false],
      ['attack/pgd', 'gradients', true],
      ['dataset/npz', undefined, true],
      ['metric/certified-accuracy', undefined, false],
      ['metric/queries-to-success', undefined, false],
      ['metric/robust-accuracy', undefined, false],
    ]);
    // As the ids call them.
    expect(listed.map(({ kind }) => kind)).toEqual(listed.map(({ id }) => id.replace(/\/.*/, '')));
  });
});

describe('an audit', () => {
  const epsilons = [0, 8 / 255, 0.1, 1];
  let outcome: Outcome;
  beforeAll(async () => {
    outcome = await audit(
      '--epsilon',
      '0.1,0,8/255,1',
      '--set',
      'pgd.steps=5',
      '--out',
      'whole',
      '--batch-size',
      '48',
    );
  });

  it('prints the verdict, plain, within 100 columns', () => {
    expect(outcome).toMatchObject({ status: 0, err: '' });
    const lines = outcome.out.split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(outcome.out).not.toContain('\x1b');
    for (const name of ['fgsm', 'pgd', 'worst case']) {
      expect(
        lines
          .filter((line) => line.startsWith(`${name} `))
          .map((line) => line.slice(name.length).trim().split(/\s+/)[0]),
      ).toEqual(['0', '8/255', '0.1', '1']);
    }
    expect(outcome.out).toContain('Files: whole (');
  });

  it('publishes audit.json by its schema, and its numbers follow from the rows', () => {
    const verdict = auditOf('whole');
    expect(auditJson.parse(verdict)).toEqual(verdict);
    const rows = rowsOf('whole');
    expect(rows).toHaveLength(200 * 2 * epsilons.length);
    expect(verdict.results.map(({ attack, epsilon }) => [attack, epsilon])).toEqual(
      ['attack/fgsm', 'attack/pgd'].flatMap((attack) => epsilons.map((epsilon) => [attack, epsilon])),
    );
    for (const result of verdict.results) {
      const own = rows.filter(
        ({ attack, epsilon }) => attack === result.attack && epsilon === result.epsilon,
      );
      expect(own).toHaveLength(200);
      const broken = own.filter(({ verdict: fate }) => fate === 'broken');
      const correct = own.filter(({ clean, label }) => clean === label);
      expect(verdict.clean.accuracy).toBe(correct.length / 200);
      expect(result.robustAccuracy).toBe((correct.length - broken.length) / 200);
      expect(result.successRate).toBe(broken.length / correct.length);
      expect(result.distance?.count ?? 0).toBe(broken.length);
      expect(result.queries).toBe(own.reduce((sum, { queries }) => sum + queries, 0));
    }
    const worst = worstCase(rows);
    for (const { epsilon, robustAccuracy, interval } of verdict.worstCase) {
      const held = worst.filter((one) => one.epsilon === epsilon && one.verdict === 'held').length;
      expect(robustAccuracy).toBe(held / 200);
      expect(interval[0]).toBeLessThanOrEqual(held / 200);
      expect(interval[1]).toBeGreaterThanOrEqual(held / 200);
    }
    // Epsilon 0 gives the input back; the whole box breaks everything.
    expect(verdict.worstCase[0]!.robustAccuracy).toBe(verdict.clean.accuracy);
    expect(verdict.worstCase[3]!.robustAccuracy).toBe(0);
  });

  it('publishes points that lie in ball and box, on which the model answers what is reported', async () => {
    const rows = rowsOf('whole');
    const { clean, adversarial } = await arraysOf('whole');
    const session = await InferenceSession.create(MODEL);
    const answers = async (data: Float32Array) => {
      const { logits } = await session.run({ input: new Tensor('float32', data, clean.x.shape) });
      return argmax(tensor(logits!.data as Float32Array, logits!.dims));
    };
    const [before, after] = [await answers(clean.x.data), await answers(adversarial.x.data)];
    const source = await npz.open(DATA, { bounds: [0, 1], options: { x: 'x', y: 'y' } });
    const original = await source.batch(0, 200);
    rows.forEach((one, i) => {
      const [x, point] = [row(clean.x, i), row(adversarial.x, i)];
      expect(bytes(x).equals(bytes(row(original.x, one.sample as number)))).toBe(true);
      expect(clean.y[i]).toBe(one.label);
      const moved = distance(point, x, 'linf');
      expect(within(moved, one.epsilon)).toBe(true);
      expect(point.every((value) => value >= 0 && value <= 1)).toBe(true);
      expect([before[i], after[i]]).toEqual([one.clean, one.adversarial]);
      expect(one.verdict === 'broken').toBe(one.clean === one.label && one.adversarial !== one.label);
      expect(one.distance?.linf ?? 0).toBe(moved);
    });
    await session.release();
  });

  // The batch size of its plan stands where none is asked for.
  it('is not run again when it is finished', async () => {
    const again = await audit('--epsilon', '0.1,0,8/255,1', '--set', 'pgd.steps=5', '--out', 'whole');
    expect(again.status).toBe(0);
    expect(again.err).toContain('nothing was run again');
    expect(again.out).toBe(outcome.out);
  });

  it('gives the same rows with --json and --limit, for the first samples in order', async () => {
    const { status, out, err } = await audit(
      ...['--epsilon', '8/255', '--set', 'pgd.steps=5', '--limit', '20', '--json', '--out', 'first'],
    );
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(JSON.parse(out)).toEqual(auditOf('first'));
    expect(rowsOf('first').map(strip)).toEqual(
      rowsOf('whole')
        .filter(({ sample, epsilon }) => Number(sample) < 20 && epsilon === 8 / 255)
        .sort(
          (a, b) =>
            Number(a.attack > b.attack) - Number(a.attack < b.attack) || Number(a.sample) - Number(b.sample),
        )
        .map(strip),
    );
  });

  it('takes targets', async () => {
    const { status } = await audit(
      ...['--epsilon', '0.2', '--attack', 'pgd', '--limit', '40', '--targeted', '3', '--out', 'targeted'],
    );
    expect(status).toBe(0);
    const rows = rowsOf('targeted');
    expect(
      rows.every(({ target, label, verdict }) => target === 3 && (verdict === 'exempt') === (label === 3)),
    ).toBe(true);
    const broken = rows.filter(({ verdict }) => verdict === 'broken');
    expect(broken.length).toBeGreaterThan(0);
    expect(broken.every(({ adversarial }) => adversarial === 3)).toBe(true);
  });
});

describe('a gradient file', () => {
  it('holds the gradient that an audit climbs, for any program that has ONNX Runtime', async () => {
    const { status, out, err } = await gauntlet(user, [
      'gradient',
      MODEL,
      '-o',
      'grad.onnx',
      '--loss',
      'margin',
    ]);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(
      /^Inputs: {2}input float32\[N, 1, 28, 28\], labels int64\[N\]\nOutputs: scores float32\[N, 10\], loss float32\[N\], gradient float32\[N, 1, 28, 28\]\nFile: grad\.onnx \(0\.7 MB\)\n$/,
    );
    const data = await npz.open(DATA, { bounds: [0, 1], options: { x: 'x', y: 'y' } });
    const { x, y } = await data.batch(0, 3);
    const session = await InferenceSession.create(join(user, 'grad.onnx'));
    const ask = async (points: Float32Array) => {
      const found = await session.run({
        input: new Tensor('float32', points, x.shape),
        labels: new Tensor('int64', BigInt64Array.from(y, BigInt), [3]),
      });
      return found as unknown as Record<'scores' | 'loss' | 'gradient', { data: Float32Array }>;
    };
    const { scores, loss, gradient } = await ask(x.data);
    const classes = argmax(tensor(scores.data, [3, 10]));
    loss.data.forEach((value, i) => expect(value < 0).toBe(classes[i] === y[i]));
    // A short step along the gradient gains what its length says.
    const step = 1e-3;
    const moved = await ask(x.data.map((value, i) => value + step * gradient.data[i]!));
    for (const i of [0, 1, 2]) {
      const own = gradient.data.subarray(784 * i, 784 * (i + 1));
      const gain = own.reduce((sum, value) => sum + value ** 2, 0) * step;
      expect(gain).toBeGreaterThan(0);
      expect((moved.loss.data[i]! - loss.data[i]!) / gain).toBeCloseTo(1, 1);
    }
    await session.release();
  });
});

describe('an interrupted audit', () => {
  const args = [
    '--epsilon',
    '0.05,0.1',
    '--attack',
    'pgd',
    '--limit',
    '32',
    '--batch-size',
    '8',
    '--restarts',
    '4',
    '--set',
    'pgd.steps=20',
  ];
  let straight: Promise<Outcome>;
  // It runs beside the first of those that are stopped.
  beforeAll(() => {
    straight = audit(...args, '--out', 'straight');
  });

  it.each(['SIGINT', 'SIGKILL'] as const)(
    'by %s leaves whole rows, and goes on to the same outcome',
    async (signal) => {
      const out = `stopped-${signal}`;
      const outcomes = join(user, out, 'outcomes.jsonl');
      const all = ['audit', MODEL, '--data', DATA, ...args, '--out', out];
      const stopped = await gauntlet(user, all, (kill) => {
        const timer = setInterval(() => {
          if (!existsSync(outcomes) || readFileSync(outcomes, 'utf8').split('\n').length <= 16) return;
          clearInterval(timer);
          kill(signal);
        }, 5);
      });
      expect(existsSync(join(user, out, 'audit.json'))).toBe(false);
      const before = rowsOf(out);
      expect(before.length).toBeGreaterThanOrEqual(16);
      expect(before.length).toBeLessThan(64);
      if (signal !== 'SIGKILL') {
        expect(stopped.status).toBe(130);
        expect(stopped.err).toBe(
          `gauntlet: Interrupted: ${before.length} rows are finished. Run the same command with --out ${out} to go on.\n`,
        );
      }

      const resumed = await gauntlet(user, all);
      expect([resumed, await straight]).toMatchObject([{ status: 0 }, { status: 0 }]);
      // But for the last batch, whose mark may be missing: it is run again.
      expect(rowsOf(out).slice(0, before.length - 8)).toEqual(before.slice(0, before.length - 8));
      expect(rowsOf(out).map(strip)).toEqual(rowsOf('straight').map(strip));
      expect(await arraysOf(out)).toEqual(await arraysOf('straight'));
      expect(readdirSync(join(user, out)).sort()).toEqual(readdirSync(join(user, 'straight')).sort());
    },
  );
});

describe("somebody else's attack", () => {
  beforeAll(() => {
    const folder = join(user, 'node_modules/gauntlet-attack-own');
    mkdirSync(folder);
    const manifest = {
      name: 'gauntlet-attack-own',
      version: '3.0.0',
      type: 'module',
      exports: { import: './main.js' },
    };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    writeFileSync(
      join(folder, 'main.js'),
      `import { defineAttack } from '@gauntlet/core';
       const validate = (value) => ({ value });
       export default defineAttack({
         id: 'attack/own', summary: 'Far away.', cites: [], access: 'scores', norms: ['linf'], finds: 'within-budget',
         options: { '~standard': { version: 1, vendor: 'own', validate } },
         async run({ x, options }) {
           if (options.fail) throw new TypeError('no such thing');
           return { data: x.data.map((value) => 9 - 18 * value), shape: x.shape };
         },
       });`,
    );
  });
  const own = (...args: string[]) => audit('--epsilon', '0.3', '--limit', '20', '--attack', 'own', ...args);

  it('runs when it is named, and its points are brought into ball and box', async () => {
    expect(await own('--out', 'own')).toMatchObject({ status: 0, err: '' });
    expect(auditOf('own').versions).toMatchObject({ 'gauntlet-attack-own': '3.0.0' });
    const broken = rowsOf('own').filter(({ verdict }) => verdict === 'broken');
    expect(broken.length).toBeGreaterThan(0);
    expect(broken.every((one) => within(one.distance!.linf, 0.3))).toBe(true);
  });

  it('ends with exit code 70 when it fails, and what was finished stays', async () => {
    const { status, out, err } = await own('--out', 'failed', '--set', 'own.fail=true');
    expect({ status, out }).toEqual({ status: 70, out: '' });
    expect(err).toMatch(/^gauntlet: Unexpected defect: no such thing\. Run again with --verbose [^\n]*\n$/);
    expect(readdirSync(join(user, 'failed'))).not.toContain('audit.json');
  });
});

describe('a plugin that does not fit is refused by name', () => {
  const install = (name: string, id: string, api: string) => {
    const folder = join(user, 'node_modules', name);
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name, version: '1.0.0', type: 'module', exports: './main.js' }),
    );
    writeFileSync(join(folder, 'main.js'), `export default { id: '${id}', api: '${api}', kind: 'evasion' };`);
  };

  it.each([
    [
      'for other contracts',
      'gauntlet-attack-old',
      'attack/old',
      'gauntlet/0',
      /plugin attack\/old for the contracts gauntlet\/0 at gauntlet-attack-old, expected gauntlet\/1\. Install/,
    ],
    [
      'with the id of another',
      'gauntlet-attack-double',
      'attack/pgd',
      'gauntlet/1',
      /second owner of attack\/pgd at gauntlet-attack-double, expected only @gauntlet\/attack-pgd\. Remove/,
    ],
    [
      'that is none',
      'gauntlet-attack-none',
      'attack/none',
      'none',
      /default export that is not a plugin at gauntlet-attack-none, expected/,
    ],
  ])('one %s', async (_, name, id, api, sentence) => {
    install(name, id, api);
    const { status, out, err } = await audit('--epsilon', '1', '--attack', `pgd,${name}`);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(sentence);
    rmSync(join(user, 'node_modules', name), { recursive: true });
  });
});

describe('a missing plugin is one sentence with the command to type', () => {
  it('for a folder of images', async () => {
    const { status, err } = await gauntlet(user, [
      'audit',
      MODEL,
      '--data',
      'node_modules',
      '--epsilon',
      '1',
    ]);
    expect(status).toBe(2);
    expect(err).toMatch(/^gauntlet: Unexpected folder at .* Run npm install @gauntlet\/dataset-images .*\n$/);
  });

  it.each([
    [
      'an attack',
      ['--attack', 'square'],
      /attack 'square' at .* Run npm install @gauntlet\/attack-square\.\n$/,
    ],
    [
      'an attack, nearly',
      ['--attack', 'sqare'],
      /Did you mean @gauntlet\/attack-square\? Run npm install @gauntlet\/attack-square\.\n$/,
    ],
    [
      'an engine',
      ['--engine', 'tf'],
      /engine 'tf' at .* Run npm install @gauntlet\/adapter-tfjs @tensorflow\/tfjs-node\.\n$/,
    ],
  ])('for %s', async (_, args, sentence) => {
    const { status, err } = await audit('--epsilon', '1', ...args);
    expect(status).toBe(2);
    expect(err).toMatch(sentence);
  });

  it('for a model of ONNX or tfjs', async () => {
    rmSync(join(user, 'node_modules/@gauntlet/adapter-onnx'), { recursive: true });
    const { status, err } = await audit('--epsilon', '1');
    expect(status).toBe(2);
    expect(err).toMatch(/^gauntlet: Unexpected .*npm install @gauntlet\/adapter-onnx onnxruntime-node\.\n$/);
    const tfjs = ['audit', `${ROOT}fixtures/tfjs/digits`, '--data', DATA, '--epsilon', '1'];
    expect(await gauntlet(user, tfjs)).toMatchObject({
      status: 2,
      err: expect.stringMatching(/Run npm install @gauntlet\/adapter-tfjs @tensorflow\/tfjs-node\.\n$/),
    });
  });

  it('for attacks', async () => {
    for (const name of ['attack-fgsm', 'attack-pgd'])
      rmSync(join(user, 'node_modules/@gauntlet', name), { recursive: true });
    const { status, err } = await audit('--epsilon', '1');
    expect(status).toBe(2);
    expect(err).toMatch(/^gauntlet: Unexpected .*npm install @gauntlet\/attack-pgd\.\n$/);
  });
});
