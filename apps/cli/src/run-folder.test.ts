import {
  appendFileSync,
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
import type { Certified, Row, Shard } from '@gauntlet/core';
import { tensor } from '@gauntlet/tensor';
import { openRunFolder, recordedPlan } from './run-folder.js';

const { default: npz } = await import('@gauntlet/dataset-npz');

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'run-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const open = (settings: { plan?: string; overwrite?: boolean } = {}) =>
  openRunFolder(folder, { name: 'the folder', plan: 'plan A', shape: [3], overwrite: false, ...settings });

const row = (sample: number, attack: string): Row => ({
  model: 'm',
  sample,
  attack,
  finds: 'within-budget',
  norm: 'linf',
  epsilon: 0.5,
  label: sample + 4,
  target: null,
  clean: 0,
  adversarial: 1,
  verdict: 'broken',
  distance: { l0: 1, l1: 1, l2: 1, linf: 1 },
  queries: 1,
  gradients: 1,
  seconds: 1,
  seed: 0,
});

const shard = (key: string, n = 2): Shard => ({
  key,
  rows: Array.from({ length: n }, (_, i) => row(i, key)),
  x: tensor(
    Float32Array.from({ length: 3 * n }, (_, i) => i),
    [n, 3],
  ),
  adversarial: tensor(
    Float32Array.from({ length: 3 * n }, (_, i) => i + 0.5),
    [n, 3],
  ),
});

const left = () => readdirSync(folder).sort();
const lines = () => readFileSync(join(folder, 'outcomes.jsonl'), 'utf8');

it('publishes a finished run, and leaves nothing else', async () => {
  const run = await open();
  await run.append(shard('attack/a'));
  await run.append(shard('attack/bcd', 1));
  await run.finish({ verdict: 1 });
  await run.close();
  expect(left()).toEqual(['adversarial.npz', 'audit.json', 'outcomes.jsonl', 'plan.json']);
  expect(readFileSync(join(folder, 'plan.json'), 'utf8')).toBe('plan A');
  expect(JSON.parse(readFileSync(join(folder, 'audit.json'), 'utf8'))).toEqual({ verdict: 1 });
  expect(
    lines()
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as Row).attack),
  ).toEqual(['attack/a', 'attack/a', 'attack/bcd']);

  const read = async (x: string) => {
    const set = await npz.open(join(folder, 'adversarial.npz'), { bounds: [0, 1], options: { x, y: 'y' } });
    const { x: points, y } = await set.batch(0, set.samples);
    return [[...points.data], [...y], set.shape];
  };
  expect(await read('x')).toEqual([[0, 1, 2, 3, 4, 5, 0, 1, 2], [4, 5, 4], [3]]);
  expect((await read('x_adv'))[0]).toEqual([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 0.5, 1.5, 2.5]);
});

it('keeps certificates likewise, and leaves no file where there are none', async () => {
  const proof = (key: string) => ({
    key,
    certified: [{ sample: 1, certifier: key } as unknown as Certified],
  });
  const run = await open();
  await run.append(shard('one'));
  await run.append(proof('two'));
  await run.append(shard('three'));
  await run.close();
  appendFileSync(join(folder, 'certificates.jsonl'), '{"sample":2}\n{"sam');

  const again = await open();
  expect([[...again.done], again.rows.length, again.certificates]).toEqual([
    ['one', 'two', 'three'],
    4,
    [{ sample: 1, certifier: 'two' }],
  ]);
  await again.append(proof('four'));
  await again.finish({});
  await again.close();
  expect(left()).toContain('certificates.jsonl');
  const whole = await open();
  expect(whole.certificates.map(({ certifier }) => certifier)).toEqual(['two', 'four']);
  await whole.close();
});

it('tells the same run when it is finished', async () => {
  const run = await open();
  await run.append(shard('one'));
  await run.finish({});
  await run.close();
  const again = await open();
  expect([again.complete, again.rows.length]).toEqual([true, 2]);
  await again.close();
});

it.each([
  ['nothing', () => undefined],
  ['half a line', () => appendFileSync(join(folder, 'outcomes.jsonl'), '{"sample":0,')],
  [
    'lines of a shard without its mark',
    () => appendFileSync(join(folder, 'outcomes.jsonl'), `${JSON.stringify(row(9, 'x'))}\n`),
  ],
  ['half a mark', () => appendFileSync(join(folder, 'shards.part'), '{"key":"three"')],
  ['numbers of a shard without its rows', () => appendFileSync(join(folder, 'x_adv.part'), 'abcde')],
])('goes on after whole shards, whatever was being written: %s', async (_, damage) => {
  const run = await open();
  await run.append(shard('one'));
  await run.append(shard('two'));
  await run.close();
  const before = lines();
  damage();

  const again = await open();
  expect([[...again.done], again.rows.length, lines(), again.complete]).toEqual([
    ['one', 'two'],
    4,
    before,
    false,
  ]);
  await again.append(shard('three'));
  await again.finish({});
  await again.close();
  expect(lines().startsWith(before)).toBe(true);
  const set = await npz.open(join(folder, 'adversarial.npz'), {
    bounds: [0, 1],
    options: { x: 'x_adv', y: 'y' },
  });
  expect([...(await set.batch(4, 6)).x.data]).toEqual([0.5, 1.5, 2.5, 3.5, 4.5, 5.5]);
});

it.each(['outcomes.jsonl', 'x.part', 'x_adv.part'])(
  'runs a shard again that lost something of %s',
  async (name) => {
    const run = await open();
    await run.append(shard('one'));
    await run.append(shard('two'));
    await run.close();
    const path = join(folder, name);
    truncateSync(path, readFileSync(path).length - 1);
    const again = await open();
    expect([[...again.done], again.rows.length]).toEqual([['one'], 2]);
    await again.close();
  },
);

it('refuses a folder that holds another run, and leaves it alone', async () => {
  const run = await open();
  await run.append(shard('one'));
  await run.close();
  const before = left().map((name) => readFileSync(join(folder, name), 'latin1'));
  await expect(open({ plan: 'plan B' })).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining('Unexpected other run at the folder'),
  });
  expect(left().map((name) => readFileSync(join(folder, name), 'latin1'))).toEqual(before);
});

it.each([
  [{ seed: 0, goal: { kind: 'x' } }, { seed: 1, goal: { kind: 'y' } }, "Its seed is 0, this one's is 1."],
  [{ list: [1, { step: 'a' }] }, { list: [1, { step: 'b' }] }, 'Its list.1.step is "a", this one\'s is "b".'],
  [{ a: 1 }, { a: 1, b: 'c'.repeat(99) }, `Its b is nothing, this one's is "${'c'.repeat(59)}...`],
])('says in what another run differs: %j', async (there, here, message) => {
  await (await open({ plan: JSON.stringify(there) })).close();
  await expect(open({ plan: JSON.stringify(here) })).rejects.toThrow(message);
});

it('replaces another run when told so, and nothing that is not its own', async () => {
  writeFileSync(join(folder, 'notes.txt'), 'mine');
  const run = await open();
  await run.append(shard('one'));
  await run.finish({});
  await run.close();
  const again = await open({ plan: 'plan B', overwrite: true });
  expect([again.complete, again.rows.length, existsSync(join(folder, 'audit.json'))]).toEqual([
    false,
    0,
    false,
  ]);
  expect(readFileSync(join(folder, 'plan.json'), 'utf8')).toBe('plan B');
  expect(readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('mine');
  await again.close();
});

it('lets one process in at a time, and forgets those that are gone', async () => {
  writeFileSync(join(folder, 'run.lock'), String(process.ppid));
  await expect(open()).rejects.toThrow(`Unexpected run under way in process ${process.ppid} at the folder`);
  writeFileSync(join(folder, 'run.lock'), '4194305');
  await (await open()).close();
  expect(left()).not.toContain('run.lock');
});

it('says where a line is damaged', async () => {
  const run = await open();
  await run.append(shard('one'));
  await run.close();
  writeFileSync(join(folder, 'outcomes.jsonl'), lines().replace('{', '['));
  await expect(open()).rejects.toThrow('Unexpected damaged line at line 1 of');
  expect(left()).not.toContain('run.lock');
});

it('refuses a file in its place', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, '');
  await expect(
    openRunFolder(path, { name: path, plan: '', shape: [1], overwrite: true }),
  ).rejects.toMatchObject({ code: 'input', message: expect.stringContaining('Unexpected file at') });
});

it.each([
  ['a size', '{"seed":1,"batchSize":8}', { seed: 1, batchSize: 8 }],
  ['none', '{"seed":1,"batchSize":0}', { seed: 1 }],
  ['a word', '{"batchSize":"8"}', {}],
  ['no plan', '8', undefined],
])('reads what a plan records: %s', async (_, plan, expected) => {
  writeFileSync(join(folder, 'plan.json'), plan);
  expect(await recordedPlan(folder)).toEqual(expected);
});
