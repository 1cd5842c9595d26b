import { readFileSync } from 'node:fs';
import * as testing from './index.js';
import { register } from './runner.js';

type Checks = Readonly<Record<string, unknown>>;

const harnesses = Object.entries(testing)
  .filter(([name]) => name.endsWith('Checks'))
  .flatMap(([, checks]) =>
    typeof checks === 'function'
      ? (['within-budget', 'smallest'] as const).map((finds) => testing.attackChecks({ finds }))
      : [checks as Checks],
  );

it('explains every check of every harness, once', () => {
  const page = readFileSync(`${import.meta.dirname}/../CHECKS.md`, 'utf8');
  const rows = [...page.matchAll(/^\| (?!check |-)(.*?) +\|/gm)].map(([, name]) => name!);
  expect(rows.sort()).toEqual([...new Set(harnesses.flatMap(Object.keys))].sort());
});

it('says where the check that failed is explained, in message and stack', async () => {
  const ran: (() => Promise<void>)[] = [];
  const runner = {
    describe: (_: string, body: () => void) => body(),
    it: (_: string, body: () => Promise<void>) => ran.push(body),
  };
  const checks = {
    holds: () => undefined,
    learns: () => {
      throw new Error('Unexpected 1, expected 2.');
    },
    'leaves rows alone': () => undefined,
  };
  register('toy', checks, { runner, skip: { 'leaves rows alone': 'it does not' } }, () => null);
  expect(ran).toHaveLength(2);
  await ran[0]!();
  const error = (await ran[1]!().catch((thrown: unknown) => thrown)) as Error;
  const told =
    'Unexpected 1, expected 2.\nOn what this was checked, and why: "learns" in node_modules/@gauntlet/testing/CHECKS.md';
  expect(error.message).toBe(told);
  expect(error.stack).toMatch(`Error: ${told}\n    at `);
});
