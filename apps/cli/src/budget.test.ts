import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fitInto } from './budget.js';
import type { Prepared } from './prepare.js';
import type { Terminal } from './terminal.js';
import { called } from './testing/called.js';
import { ROOT } from './testing/packed.js';

const DIGITS = `${ROOT}examples/digits`;

let user = '';
beforeAll(() => (user = mkdtempSync(join(tmpdir(), 'budget-'))));
afterAll(() => rmSync(user, { recursive: true, force: true }));

const COMMAND = [
  ...['audit', `${DIGITS}/digits.onnx`, '--data', `${DIGITS}/digits.npz`, '--epsilon', '0.1'],
  ...['--attack', 'fgsm', '--batch-size', '10', '--restarts', '2', '--budget', '36s', '--out', 'run'],
];
const json = (file: string) => JSON.parse(readFileSync(join(user, 'run', file), 'utf8')) as unknown;

/** A clock on which every look takes so long: that is the pace of the machine. */
const clock = (tick: number) => {
  let ticks = 0;
  return () => ticks++ * tick;
};

const SAID =
  'Cut to fit into 36.0 s: 120 of 200 samples and 1 of 2 restarts. Attacks keep all their options.';

it('cuts an audit to fit a time, says so, and goes on with what was left although the machine got slower', async () => {
  const enough = new AbortController();
  const stopped = await called(user, COMMAND, {
    now: clock(1),
    signal: enough.signal,
    err: (text) => text.includes('parts done') && enough.abort(),
  });
  expect(stopped).toMatchObject({ status: 130, err: expect.stringContaining('40 rows are finished') });
  const plan = json('plan.json');
  const [kept, whole] = [120, 200].map((samples, i) => ({ samples, restarts: i + 1 }));
  const budget = { seconds: 36, kept, whole };
  expect(plan).toMatchObject({ data: { samples: 120 }, restarts: 1, budget });

  const gone = await called(user, COMMAND, { now: clock(9) });
  expect(gone).toMatchObject({ status: 0, out: expect.stringContaining(SAID) });
  expect(json('plan.json')).toEqual(plan);
  expect(json('audit.json')).toMatchObject({ data: { samples: 120 }, budget });
  await called(user, ['report', 'run', '-o', 'run/report.md']);
  expect(readFileSync(join(user, 'run/report.md'), 'utf8')).toContain(SAID);

  const anew = await called(user, [...COMMAND, '--overwrite'], { now: clock(0.1) });
  expect(anew.err).toContain('The whole plan fits into the budget.');
  expect(anew.out).not.toContain('Cut to fit');
});

it('cuts audits of a gate alike, whichever of them had begun', async () => {
  const [small, large] = [800, 1000].map(
    (samples) => ({ assembled: { plan: { data: { samples }, restarts: 2 } } }) as Prepared,
  ) as [Prepared, Prepared];
  const begin = (name: string, budget: unknown) => {
    mkdirSync(join(user, name));
    writeFileSync(join(user, name, 'plan.json'), JSON.stringify({ budget }));
  };
  const terminal = { cwd: user, err: () => undefined } as unknown as Terminal;
  const cut = async (...folders: readonly string[]) =>
    (
      await fitInto(
        60,
        [small, large].map((prepared, i) => ({ prepared, folder: folders[i]! })),
        terminal,
      )
    ).map(({ assembled: { plan } }) => plan);

  const whole = { samples: 1000, restarts: 2 };
  begin('large', { seconds: 60, kept: { samples: 900, restarts: 1 }, whole });
  const [first, second] = await cut('nothing', 'large');
  expect([first, second].map((plan) => [plan!.data.samples, plan!.restarts])).toEqual([
    [800, 1],
    [900, 1],
  ]);
  begin('small', first!.budget);
  expect(await cut('small', 'nothing')).toEqual([first, second]);
});
