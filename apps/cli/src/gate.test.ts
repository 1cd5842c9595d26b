import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBaseline } from '@gauntlet/gate';
import type { Config } from './config.js';
import { called } from './testing/called.js';
import { gauntlet, ROOT } from './testing/packed.js';

import.meta.jest.setTimeout(120_000);

const DIGITS = `${ROOT}examples/digits`;
const CONFIG: Config = {
  models: { digits: { path: `${DIGITS}/digits.onnx` } },
  data: { path: `${DIGITS}/digits.npz`, limit: 30 },
  threatModels: { small: { epsilons: [0.1] } },
  attacks: { fgsm: {}, pgd: { options: { steps: 40 } } },
  batchSize: 30,
  thresholds: [{ measure: 'robust-accuracy', atLeast: 0.01 }, { measure: 'drop' }],
};

let [user, template] = ['', ''];
const fresh = () => mkdtempSync(join(tmpdir(), 'gate-'));
beforeAll(async () => {
  template = user = fresh();
  await gateFrom(CONFIG);
});
afterAll(() => rmSync(template, { recursive: true, force: true }));
beforeEach(() => {
  user = fresh();
});
afterEach(() => rmSync(user, { recursive: true, force: true }));

/** A folder that holds the baseline of the configuration, and its run. */
const withBaseline = () => cpSync(template, user, { recursive: true });

const read = (path: string) => readFileSync(join(user, path), 'utf8');
const place = (config: object) => writeFileSync(join(user, 'gauntlet.config.json'), JSON.stringify(config));

const gate = (...args: string[]) => command('gate', ...args);

const command = (...args: string[]) => called(user, args);

/** A gate whose baseline is the outcome of a configuration. */
async function gateFrom(config: Config) {
  place(config);
  const updated = await gate('--update-baseline');
  expect(updated).toMatchObject({ status: 0, out: expect.stringContaining('Passed: ') });
}

it('needs a baseline', async () => {
  place({ ...CONFIG, attacks: { fgsm: {} } });
  expect(await gate()).toMatchObject({
    status: 3,
    out: expect.stringMatching(/^Inconclusive: There is no baseline/m),
  });
});

it('passes against its baseline, and runs nothing twice', async () => {
  withBaseline();
  const [audit] = readBaseline(read('gauntlet-baseline.json'), 'b').audits;
  expect(audit).toMatchObject({
    model: 'digits',
    terms: { attacks: { 'attack/pgd': { steps: 40, stepSize: 0.1 } } },
  });
  expect(audit!.outcomes['0.1']).toMatch(/^[hbm]{30}$/);
  const { status, out, err } = await gate();
  expect(status).toBe(0);
  expect(err).toContain('nothing was run again');
  expect(out).toContain('Passed: all 2 thresholds hold.');
  expect(read('gauntlet-out/gate/gate.md')).toContain('## Gauntlet: passed');
  expect(read('gauntlet-out/gate/gate.xml')).toContain('failures="0" errors="0"');
  expect(JSON.parse(read('gauntlet-out/gate/gate.sarif'))).toMatchObject({ runs: [{ results: [] }] });
});

it('fails when a threshold is missed, and says so everywhere', async () => {
  withBaseline();
  place({ ...CONFIG, thresholds: [{ measure: 'lower-bound', atLeast: 0.99 }] });
  const { status, out } = await gate();
  expect([status, /^Failed: .*/m.exec(out)?.[0]]).toEqual([1, 'Failed: 1 of 1 threshold is missed.']);
  expect(read('gauntlet-out/gate/gate.md')).toContain('## Gauntlet: failed');
  expect(read('gauntlet-out/gate/gate.xml')).toContain('failures="1"');
  expect(JSON.parse(read('gauntlet-out/gate/gate.sarif'))).toMatchObject({
    runs: [
      {
        results: [
          {
            ruleId: 'lower-bound',
            locations: [{ physicalLocation: { artifactLocation: { uri: 'gauntlet.config.json' } } }],
          },
        ],
      },
    ],
  });
});

it('fails when a model got worse on the same samples, and not when it got better', async () => {
  const model = (name: string) => ({ ...CONFIG, models: { digits: { path: `${DIGITS}/${name}.onnx` } } });
  await gateFrom(model('hardened'));
  place(model('digits'));
  const worse = await gate();
  expect(worse.status).toBe(1);
  expect(worse.out).toMatch(
    /^failed .* drop against the baseline: \d+ of 30 samples held, \d+ in the baseline: \d+ lost/m,
  );
  withBaseline();
  place(model('hardened'));
  expect((await gate()).status).toBe(0);
});

it.each<[string, Partial<Config>, RegExp]>([
  [
    'one step instead of forty',
    { attacks: { fgsm: {}, pgd: { options: { steps: 1 } } } },
    /attack\/pgd\.steps is 1, that of gauntlet-baseline\.json is 40/,
  ],
  ['an attack that is left out', { attacks: { fgsm: {} } }, /attacks\.attack\/pgd is nothing/],
  ['fewer samples', { data: { ...CONFIG.data, limit: 29 } }, /data\.samples is 29/],
  ['other data', { data: { path: `${ROOT}fixtures/digits/test500.npz`, limit: 30 } }, /data\.fingerprint is/],
  [
    'less of a budget',
    { threatModels: { small: { epsilons: [0.01], queries: 2 } } },
    /threatModel\.epsilons is \[0\.01\][^]*threatModel\.queries is 2/,
  ],
])('is inconclusive with %s', async (_, change, doubt) => {
  withBaseline();
  place({ ...CONFIG, ...change, thresholds: [{ measure: 'robust-accuracy', atLeast: 0 }] });
  const { status, out } = await gate();
  expect(status).toBe(3);
  expect(out).toMatch(doubt);
});

it('is inconclusive when rows of a finished run are gone, and writes no baseline from it', async () => {
  withBaseline();
  const [run] = readdirSync(join(user, 'gauntlet-out/gate')).filter((name) =>
    name.startsWith('digits-small-'),
  );
  const rows = `gauntlet-out/gate/${run}/outcomes.jsonl`;
  const lines = read(rows).split('\n').slice(0, -1);
  truncateSync(join(user, rows), Buffer.byteLength(`${lines.slice(0, -1).join('\n')}\n`));
  const before = read('gauntlet-baseline.json');
  const again = await gate('--update-baseline');
  expect(again.status).toBe(3);
  expect(again.out).toMatch(/^Inconclusive: .* finished 29 of 30 samples\./m);
  expect(read('gauntlet-baseline.json')).toBe(before);
});

it('attacks a model behind its defences, which are part of what a baseline holds', async () => {
  withBaseline();
  place({
    ...CONFIG,
    models: { digits: { path: `${DIGITS}/digits.onnx`, defences: { 'bit-depth': { bits: 3 } } } },
  });
  const { status, out } = await gate();
  expect(status).toBe(3);
  expect(out).toMatch(/defences is \[\{"use":"defence\/bit-depth","options":\{"bits":3\}.* is \[\]/);
});

describe('explain', () => {
  it('prints the plan of a configuration or an audit with its cost, and writes nothing', async () => {
    place(CONFIG);
    const { status, out } = await command('explain');
    expect(status).toBe(0);
    expect(out).toMatch(/^digits under small: digits\.onnx, 30 samples of digits\.npz, 1 restart, seed 0$/m);
    expect(out).toMatch(/^pgd +1 +30 +1,200 +1,230 +[\d.]+ s$/m);
    expect(out).toMatch(/^all +60 +1,230 +1,290 /m);
    const model = [
      `${DIGITS}/digits.onnx`,
      '--data',
      `${DIGITS}/digits.npz`,
      '--epsilon',
      '0.1',
      '--limit',
      '30',
    ];
    const audit = await command('explain', ...model, '--attack', 'fgsm', '--json', '--batch-size', '30');
    expect(JSON.parse(audit.out)).toMatchObject({
      audits: [
        {
          plan: { data: { samples: 30 }, attacks: [{ use: 'attack/fgsm' }] },
          estimates: [{ gradients: 30 }],
        },
      ],
    });
    expect(readdirSync(user)).toEqual(['gauntlet.config.json']);
  });

  it('fits a plan into a time, and what was cut to fit cannot pass', async () => {
    withBaseline();
    const config = { ...CONFIG, restarts: 50, thresholds: [{ measure: 'robust-accuracy', atLeast: 0 }] };
    place(config);
    const { out } = await command('explain', '--json');
    const { audits } = JSON.parse(out) as { audits: { estimates: { seconds: number }[] }[] };
    const whole = audits[0]!.estimates.reduce((sum, one) => sum + one.seconds, 0);
    const budget = ['--budget', `${(whole / 7).toFixed(3)}s`];
    const cut = await gate(...budget);
    expect(cut.err).toMatch(/Fitted into the budget: 30 samples, \d+ restarts? \(--limit 30 --restarts/);
    expect(cut).toMatchObject({
      status: 3,
      out: expect.stringMatching(/restarts is \d+, that of gauntlet-baseline\.json is 1/),
    });
    expect((await gate(...budget)).err).toContain('nothing was run again');
    place(CONFIG);
    const all = await gate('--budget', '1h');
    expect(all).toMatchObject({ status: 0, err: expect.stringContaining('The whole plan fits') });
  });

  it.each([
    [['--budget', 'soon'], /'soon' at --budget, expected a time in s, m or h/],
    [['m.onnx', '--config', 'c.json'], /both a model and --config/],
    [['m.onnx'], /missing --data/],
  ])('refuses %j', async (args, said) => {
    place(CONFIG);
    expect(await command('explain', ...args)).toMatchObject({ status: 2, err: expect.stringMatching(said) });
  });
});

describe('a configuration', () => {
  it('is TypeScript, YAML or JSON, and paths start from its folder', async () => {
    const text = JSON.stringify({ ...CONFIG, thresholds: [{ measure: 'drop', model: 'x' }] });
    writeFileSync(join(user, 'c.json'), text);
    writeFileSync(join(user, 'c.yaml'), text);
    writeFileSync(
      join(user, 'c.ts'),
      `import { type Config, defineConfig } from '@gauntlet/cli/config';\nconst c: Config = ${text};\nexport default defineConfig(c);\n`,
    );
    writeFileSync(join(user, 'c.mjs'), `export default ${text};\n`);
    const refused = expect.stringContaining("model 'x' at thresholds[0].model");
    for (const name of ['c.json', 'c.yaml', 'c.mjs']) {
      expect([name, await gate('--config', name)]).toEqual([name, { status: 2, out: '', err: refused }]);
    }
    expect(await gauntlet(user, ['gate', '--config', 'c.ts'])).toEqual({ status: 2, out: '', err: refused });
  });

  it.each([
    ['is missing', {}, /no file at gauntlet\.config\.\*/],
    [
      'is there twice',
      { 'gauntlet.config.yaml': '{}', 'gauntlet.config.json': '{}' },
      /both gauntlet\.config\.json and gauntlet\.config\.yaml/,
    ],
    ['is no JSON', { 'gauntlet.config.json': '{' }, /failure \(.*JSON.*\) at gauntlet\.config\.json/],
    ['is no YAML', { 'gauntlet.config.yaml': 'a: [' }, /failure \(.*\) at gauntlet\.config\.yaml/],
    [
      'throws',
      { 'gauntlet.config.mjs': 'throw new Error("no luck")' },
      /failure \(no luck\) at gauntlet\.config\.mjs/,
    ],
    ['exports nothing', { 'gauntlet.config.mjs': '' }, /nothing at the configuration, expected an object/],
  ])('that %s is refused in one sentence', async (_, files, said) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(user, name), text);
    const { status, err } = await gate();
    expect([status, err.match(/\n/g)?.length]).toEqual([2, 1]);
    expect(err).toMatch(said);
    expect(existsSync(join(user, 'gauntlet-out'))).toBe(false);
  });

  it('whose baseline is none is refused before anything runs', async () => {
    place(CONFIG);
    writeFileSync(join(user, 'gauntlet-baseline.json'), '<<<<<<< HEAD');
    expect(await gate()).toMatchObject({
      status: 2,
      err: expect.stringContaining('at gauntlet-baseline.json'),
    });
    expect(existsSync(join(user, 'gauntlet-out'))).toBe(false);
  });
});
