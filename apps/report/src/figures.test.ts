import { accuracySection } from './accuracy.js';
import { confusionSection } from './confusion.js';
import { distancesSection } from './distances.js';
import { findingsOf } from './findings.js';
import { queriesSection } from './queries.js';
import { rowOf, runOf } from './testing/run.js';

/** The cells of the tables of a section, row by row. */
const cellsOf = (markup: string) =>
  [...markup.matchAll(/<tr>([^]*?)<\/tr>/g)].map(([, row]) =>
    [...row!.matchAll(/<t[hd][^>]*>\s*([^]*?)\s*<\/t[hd]>/g)].map(([, cell]) => cell),
  );

const rows = [0.1, 0.2].flatMap((epsilon) =>
  Array.from({ length: 10 }, (_, sample) =>
    rowOf({
      sample,
      epsilon,
      label: sample % 3,
      clean: sample % 3,
      adversarial: (sample % 3) + 1,
      verdict: sample < 40 * epsilon ? 'broken' : 'held',
      queries: 1 + sample,
      distance: sample < 40 * epsilon ? { l0: 1, l1: 1, l2: 1, linf: epsilon - sample / 1000 } : null,
    }),
  ),
);
const findings = findingsOf(runOf(rows));

it('draws accuracy from the clean one down, with a band', () => {
  const { markup } = accuracySection(findings);
  expect(cellsOf(markup).slice(1)).toEqual(
    ['worst case', 'pgd'].flatMap((name) => [
      // SciPy: beta.ppf([0.025, 0.975], [6, 7], [5, 4]), and of 2 of 10.
      expect.arrayContaining([name, '0.1', '10', '60.0%', '26.2% to 87.8%', '4']),
      expect.arrayContaining([name, '0.2', '10', '20.0%', '2.5% to 55.6%', '8']),
    ]),
  );
  // From 100% at 0 by 60% in the middle to 20% at the end; the plot is 632 by 250, from (52, 12).
  expect(markup).toContain('<polyline points="52.0,12.0 368.0,112.0 684.0,212.0" />');
});

it('folds the smallest distance of each broken sample', () => {
  expect(cellsOf(distancesSection(findings).markup).at(-1)).toEqual(
    // Samples 0 to 3 at 0.1, 4 to 7 at 0.2.
    ['pgd', '8', '0.097', '0.09875', '0.1465', '0.1943', '0.196'],
  );
});

it('steps up at the queries at which samples break', () => {
  const { markup } = queriesSection(findings);
  // At 0.1 four of ten break, after 1 to 4 queries, of at most 10.
  const place = (queries: number) => (52 + 632 * Math.log10(queries)).toFixed(1);
  expect(markup).toContain(
    `<polyline points="52.0,262.0 52.0,262.0 52.0,237.0 ${place(2)},237.0 ${place(2)},212.0 ` +
      `${place(3)},212.0 ${place(3)},187.0 ${place(4)},187.0 ${place(4)},162.0 684.0,162.0 684.0,162.0" />`,
  );
  expect(cellsOf(markup).slice(1)).toEqual([
    ['pgd', '0.1', '10', '4', '-', '2.5', '55'],
    ['pgd', '0.2', '10', '8', '5.5', '4.5', '55'],
  ]);
});

it('counts which class is taken for which', () => {
  const cells = cellsOf(confusionSection(findings).markup.split('<details')[0]!);
  // Labels of samples 0 to 7: 0 1 2 0 1 2 0 1, each taken for the next.
  expect(cells).toEqual([
    ['label', '0', '1', '2', '3', 'in all'],
    ['0', '·', '3', '·', '·', '3'],
    ['1', '·', '·', '3', '·', '3'],
    ['2', '·', '·', '·', '2', '2'],
    ['3', '·', '·', '·', '·', '0'],
  ]);
});

it('puts classes together where there are many', () => {
  const many = Array.from({ length: 400 }, (_, sample) =>
    rowOf({ sample, verdict: 'broken', label: sample % 20, adversarial: 100 + (sample % 40) }),
  );
  const cells = cellsOf(confusionSection(findingsOf(runOf(many))).markup.split('<details')[0]!);
  expect(cells).toHaveLength(18);
  expect(cells.at(-1)![0]).toBe('44 others');
  expect(cells.slice(1).reduce((sum, row) => sum + Number(row.at(-1)), 0)).toBe(400);
});
