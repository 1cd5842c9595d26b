import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { readBaseline } from '@gauntlet/gate';
import { parse } from 'yaml';
import { ROOT } from './testing/packed.js';

import.meta.jest.setTimeout(180_000);

/** What a build would have: a checkout, the command installed in it, and stand-ins for `gh` and for the day. */
let home = '';
let checkout = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'gate-examples-'));
  for (const name of ['digits', 'gate'])
    cpSync(join(ROOT, 'examples', name), join(home, name), { recursive: true });
  checkout = join(home, 'gate');
  mkdirSync(join(checkout, 'node_modules/.bin'), { recursive: true });
  symlinkSync(join(ROOT, 'apps/cli/bin/gauntlet.js'), join(checkout, 'node_modules/.bin/gauntlet'));
  script('gh', 'echo "$@" > gh.txt; for file; do true; done; cat "$file" >> gh.txt');
  script('date', '[ "$DAY" ] && echo "$DAY" || exec /bin/date "$@"');
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function script(name: string, text: string): void {
  const path = join(home, 'bin', name);
  mkdirSync(join(home, 'bin'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

const read = (path: string) => readFileSync(join(checkout, path), 'utf8');

/** Runs a command as a build does. */
function run(command: string, env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync('bash', ['-e', '-c', command], {
    cwd: checkout,
    encoding: 'utf8',
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      PATH: `${join(home, 'bin')}${delimiter}${process.env['PATH']}`,
      ...env,
    },
  });
  return { status, output: stdout + stderr };
}

interface Workflow {
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly steps: readonly {
          readonly name?: string;
          readonly run?: string;
          readonly with?: Readonly<Record<string, string>>;
        }[];
      }
    >
  >;
}

/** The commands of a workflow but that which installs packages, each by the name of its step. */
function commandsOf(file: string): Record<string, string> {
  const [job] = Object.values((parse(read(file)) as Workflow).jobs);
  const commands = job!.steps.flatMap(({ name, run: command }) =>
    command === undefined ? [] : [[name!, command] as const],
  );
  const { Install: install, ...others } = Object.fromEntries(commands);
  expect(install).toBe('npm ci');
  return others;
}

const filesOf = (file: string) =>
  Object.values((parse(read(file)) as Workflow).jobs).flatMap(({ steps }) =>
    steps.flatMap((step) =>
      [step.with?.['sarif_file'], step.with?.['path']].filter((path) => path !== undefined),
    ),
  );

it('has npm scripts that pass, and explain', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  expect(Object.keys(scripts)).toEqual(['gate', 'gate:update', 'gate:explain']);
  expect(run('npm run gate')).toEqual({
    status: 0,
    output: expect.stringContaining('Passed: all 4 thresholds hold.'),
  });
  expect(run('npm run gate:explain')).toEqual({
    status: 0,
    output: expect.stringMatching(/^pgd +2 +100 +4,000/m),
  });
  // Versions change with every release.
  const outcomes = () =>
    readBaseline(read('gauntlet-baseline.json'), 'b').audits.map((audit) => ({ ...audit, versions: {} }));
  const before = outcomes();
  expect(run('npm run gate:update').status).toBe(0);
  expect(outcomes()).toEqual(before);
});

it('has a workflow for pull requests: it comments what the gate says, and stops them by its exit code', () => {
  const commands = commandsOf('pull-request.github.yml');
  expect(Object.keys(commands)).toEqual(['Gate', 'Summary', 'Comment']);
  const env = { NUMBER: '7', GITHUB_STEP_SUMMARY: join(home, 'summary.md') };
  expect(run(commands['Gate']!, env).status).toBe(0);
  for (const name of ['Summary', 'Comment'])
    expect(run(commands[name]!, env)).toEqual({ status: 0, output: '' });
  expect(readFileSync(env.GITHUB_STEP_SUMMARY, 'utf8')).toBe(read('gauntlet-out/gate/gate.md'));
  expect(read('gh.txt')).toMatch(/^pr comment 7 --edit-last .*\n## Gauntlet: passed/);
  for (const path of filesOf('pull-request.github.yml')) expect(existsSync(join(checkout, path))).toBe(true);

  const config = read('gauntlet.config.ts');
  writeFileSync(join(checkout, 'gauntlet.config.ts'), config.replace('steps: 40', 'steps: 1'));
  expect(run(commands['Gate']!, env).status).toBe(3);
  expect(run(commands['Comment']!, env).status).toBe(0);
  expect(read('gh.txt')).toContain('## Gauntlet: inconclusive');
  writeFileSync(join(checkout, 'gauntlet.config.ts'), config);
});

it('has a job for GitLab', () => {
  const { robustness } = parse(read('gate.gitlab-ci.yml')) as {
    robustness: { script: string[]; artifacts: { reports: { junit: string } } };
  };
  const [install, ...commands] = robustness.script;
  expect([install, commands.length]).toEqual(['npm ci', 1]);
  expect(run(commands[0]!).status).toBe(0);
  expect(read(robustness.artifacts.reports.junit)).toMatch(
    /<testsuites name="gauntlet" tests="4" failures="0"/,
  );
});

it('has a workflow for every day, whose page shows the days', () => {
  const { Gate: gate, Trend: trend, ...others } = commandsOf('daily.github.yml');
  expect(others).toEqual({});
  for (const DAY of ['2026-01-01', '2026-01-02']) expect(run(gate!, { DAY }).status).toBe(0);
  expect(readdirSync(join(checkout, 'robustness'))).toEqual(['2026-01-01', '2026-01-02']);
  expect(run(trend!)).toMatchObject({ status: 0 });
  const page = read('trend.html');
  expect(page).toMatch(/^<!doctype html>/i);
  for (const day of ['2026-01-01', '2026-01-02']) expect(page).toContain(day);
});
