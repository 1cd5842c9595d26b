import { compare } from './comparison.js';
import { findingsOf } from './findings.js';
import { renderMarkdown } from './index.js';
import { rowOf, runOf } from './testing/run.js';

type Verdicts = readonly ('held' | 'broken' | 'misclassified' | 'exempt')[];
const rowsOf = (verdicts: Verdicts, more = {}) =>
  verdicts.map((verdict, sample) => rowOf({ sample, verdict, ...more }));
const was = rowsOf(['held', 'held', 'held', 'broken', 'misclassified']);
const is = rowsOf(['held', 'broken', 'misclassified', 'held', 'misclassified']);
const between = (now: typeof is, before: typeof was, plans: readonly [object?, object?] = []) =>
  compare(findingsOf(runOf(now, plans[0])), findingsOf(runOf(before, plans[1], 'old')));

it('says of each sample whether it got worse or better', () => {
  const { groups } = between(is, was);
  expect(groups.map(({ attack }) => attack)).toEqual(['worst case', 'pgd']);
  for (const group of groups) {
    expect(group).toMatchObject({ epsilon: 0.1, shared: 5, before: 3, after: 2 });
    expect(group.worse.map((change) => change.is.sample)).toEqual([1, 2]);
    expect(group.better.map((change) => change.is.sample)).toEqual([3]);
  }
});

it('compares the samples, attacks and epsilons that both have', () => {
  const more = [
    ...is,
    ...rowsOf(['broken'], { epsilon: 0.2 }),
    ...rowsOf(['held'], { attack: 'attack/new' }),
  ];
  const { groups } = between(more, was.slice(0, 2), [{}, { data: runOf(is).plan.data }]);
  expect(groups.map(({ attack, epsilon, shared }) => [attack, epsilon, shared])).toEqual([
    ['worst case', 0.1, 2],
    ['pgd', 0.1, 2],
  ]);
});

it('counts the samples that were tried, where attacks have a target', () => {
  const more = { target: 2 };
  const { groups } = between(
    rowsOf(['broken', 'exempt', 'held'], more),
    rowsOf(['held', 'exempt', 'misclassified'], more),
  );
  expect(groups[0]).toMatchObject({ shared: 1, before: 1, after: 0 });
});

it.each<[string, object, string]>([
  ['data', { data: { name: 'toy.npz', fingerprint: 'other', samples: 5 } }, 'other data'],
  ['norm', { threatModel: { ...runOf(was).plan.threatModel, norm: 'l2' } }, 'other norm'],
  [
    'goal',
    { threatModel: { ...runOf(was).plan.threatModel, goal: { kind: 'targeted', target: 1 } } },
    'other goal',
  ],
])('refuses a run with other %s', (_, plan, found) => {
  expect(() => between(is, was, [{}, plan])).toThrow(`Unexpected ${found} at old, expected the same as`);
});

it('refuses a run with nothing to compare', () => {
  expect(() => between(is, rowsOf(['held'], { epsilon: 0.3 }), [{}, { data: runOf(is).plan.data }])).toThrow(
    'Unexpected other epsilons at old, expected one of 0.1.',
  );
});

it('names the samples that got worse to a pull request', () => {
  const text = renderMarkdown(runOf(is), { against: runOf(was, {}, 'old') });
  expect(text).toContain('at 0.1 40.0% instead of 60.0% (2 worse, 1 better, p = 0.5)');
  expect(text).toContain('| `1` | 0.1 | broken, taken for 2 |\n| `2` | 0.1 | misclassified as 2 |');
});
