import type { Certified, Row, Verdict as Fate } from '@gauntlet/core';
import {
  type AuditFacts,
  baselineOf,
  type Criterion,
  gapsOf,
  judge,
  readBaseline,
  type Terms,
} from './index.js';

const FATES: Record<string, Fate> = { h: 'held', b: 'broken', m: 'misclassified', e: 'exempt' };
const PGD = 'attack/pgd';
const FGSM = 'attack/fgsm';

/** Rows of an attack from a letter for each sample. */
const rowsOf = (attack: string, epsilon: number, letters: string): Row[] =>
  [...letters].map((letter, sample) => ({
    ...{
      model: 'm.onnx',
      sample,
      attack,
      finds: 'within-budget',
      norm: 'linf',
      epsilon,
      label: 1,
      target: null,
    },
    ...{ clean: letter === 'm' ? 0 : 1, adversarial: letter === 'h' ? 1 : 0, verdict: FATES[letter]! },
    distance: letter === 'b' ? { l0: 1, l1: epsilon, l2: epsilon, linf: epsilon } : null,
    ...{ queries: 1, gradients: 1, seconds: 0, seed: 0 },
  }));

const TERMS: Terms = {
  data: { fingerprint: 'f', samples: 20, use: 'dataset/npz', options: { x: 'x' } },
  threatModel: {
    goal: { kind: 'untargeted' },
    ...{ confidence: 0, access: 'gradients', norm: 'linf', epsilons: [0.1], box: [0, 1], queries: null },
  },
  defences: [],
  attacks: { [PGD]: { steps: 40 }, [FGSM]: {} },
  restarts: 1,
  seed: 0,
};

const WEAK = `m${'h'.repeat(19)}`;
/** 14 of 20 held. */
const USUAL = `mbbbbb${'h'.repeat(14)}`;

const auditOf = (pgd: string, terms: Partial<Terms> = {}, more: Partial<AuditFacts> = {}): AuditFacts => ({
  model: 'digits',
  threatModel: 'small',
  file: { name: 'm.onnx', sha256: '0'.repeat(64) },
  versions: {},
  terms: { ...TERMS, ...terms },
  rows: [...rowsOf(PGD, 0.1, pgd), ...rowsOf(FGSM, 0.1, WEAK)],
  ...more,
});

const AT = { model: 'digits', threatModel: 'small', epsilon: 0.1 };
const DROP: Criterion = { ...AT, measure: 'drop' };
const atLeast = (
  value: number,
  measure: 'robust-accuracy' | 'lower-bound' = 'robust-accuracy',
): Criterion => ({
  ...AT,
  measure,
  atLeast: value,
});
const BASELINE = baselineOf([auditOf(USUAL)]);

const CERTIFIERS = { certifiers: { 'certifier/ibp': {}, 'certifier/other': {} } };

/** Certificates at 0.1 from a letter for each sample: proven, unknown, or answered wrongly. */
const certifiedBy = (certifier: string, letters: string): Certified[] =>
  [...letters].map((letter, sample) => ({
    ...{ model: 'm.onnx', certifier, sample, norm: 'linf', epsilon: 0.1, label: 1, seconds: 0, seed: 0 },
    answer: letter === 'w' ? 0 : 1,
    certificate:
      letter === 'u' ? { outcome: 'unknown', why: 'for tests' } : { outcome: 'robust', radius: 0.1 },
  }));
const PROVEN = [
  ...certifiedBy('certifier/ibp', `wpp${'u'.repeat(17)}`),
  ...certifiedBy('certifier/other', `wup${'p'.repeat(2)}${'u'.repeat(15)}`),
];
const provenAudit = (certificates: readonly Certified[]) => auditOf(USUAL, CERTIFIERS, { certificates });
const provenLeast = (value: number): Criterion => ({ ...AT, measure: 'certified-accuracy', atLeast: value });

const gate = (
  audit: AuditFacts | readonly AuditFacts[],
  criteria: readonly Criterion[],
  baseline: typeof BASELINE | null = BASELINE,
) => judge({ audits: [audit].flat(), criteria, baseline, baselineName: 'base.json' });

describe('judge', () => {
  it.each([
    ['robust accuracy at its threshold', USUAL, atLeast(0.7), 'passed', 0.7],
    ['robust accuracy below its threshold', USUAL, atLeast(0.701), 'failed', 0.7],
    ['what is misclassified, as not robust', `mm${'h'.repeat(18)}`, atLeast(0.91), 'failed', 0.9],
    // binom.test(14, 20) of R
    ['the lower bound above its threshold', USUAL, atLeast(0.457, 'lower-bound'), 'passed', 0.4572108],
    ['the lower bound below its threshold', USUAL, atLeast(0.458, 'lower-bound'), 'failed', 0.4572108],
    ['no drop', USUAL, DROP, 'passed', 1],
    ['a gain', WEAK, DROP, 'passed', 1],
    ['4 lost, which chance explains: 1/16', `m${'b'.repeat(9)}${'h'.repeat(10)}`, DROP, 'passed', 1 / 16],
    ['5 lost, which it does not: 1/32', `m${'b'.repeat(10)}${'h'.repeat(9)}`, DROP, 'failed', 1 / 32],
    ['5 lost and 1 gained: 7/64', `mh${'b'.repeat(9)}${'h'.repeat(9)}`, DROP, 'passed', 7 / 64],
  ] as const)('sees %s', (_, letters, criterion, status, value) => {
    const verdict = gate(auditOf(letters), [criterion]);
    expect(verdict).toMatchObject({ status, doubts: [], findings: [{ status, criterion }] });
    expect(verdict.findings[0]!.value).toBeCloseTo(value, 6);
  });

  it.each([
    ['whichever proves it, and what is answered wrongly is not proven', 0.2, 'passed'],
    ['too little', 0.21, 'failed'],
  ] as const)('sees what is proven: %s', (_, least, status) => {
    const audit = provenAudit(PROVEN);
    const verdict = gate(audit, [provenLeast(least)], baselineOf([audit]));
    expect(verdict).toMatchObject({ status, doubts: [], findings: [{ value: 0.2 }] });
  });

  it('takes the worst case over attacks', () => {
    const verdict = gate(
      auditOf(WEAK, {}, { rows: [...rowsOf(PGD, 0.1, USUAL), ...rowsOf(FGSM, 0.1, `m${'h'.repeat(17)}bb`)] }),
      [atLeast(0.61)],
    );
    expect(verdict).toMatchObject({ status: 'failed', findings: [{ value: 0.6 }] });
  });

  it('adjusts drops for their number, and no other threshold', () => {
    const epsilons = [0.1, 0.2];
    const terms = { threatModel: { ...TERMS.threatModel, epsilons } };
    const audit = (letters: string) =>
      auditOf('', terms, {
        rows: epsilons.flatMap((epsilon) =>
          [PGD, FGSM].flatMap((attack) => rowsOf(attack, epsilon, letters)),
        ),
      });
    const five = `m${'b'.repeat(10)}${'h'.repeat(9)}`;
    const twice = epsilons.map((epsilon): Criterion => ({ ...DROP, epsilon }));
    const before = baselineOf([audit(USUAL)]);
    expect(gate(audit(five), [DROP], before).status).toBe('failed');
    expect(gate(audit(five), [DROP, atLeast(0.1)], before).status).toBe('failed');
    expect(gate(audit(five), twice, before).findings.map(({ status, value }) => [status, value])).toEqual([
      ['passed', expect.closeTo(1 / 16)],
      ['passed', expect.closeTo(1 / 16)],
    ]);
  });

  it('fails when one of several is missed', () => {
    const { status, findings } = gate(auditOf(USUAL), [atLeast(0.5), atLeast(0.9), DROP]);
    expect([status, ...findings.map((finding) => finding.status)]).toEqual([
      'failed',
      'passed',
      'failed',
      'passed',
    ]);
  });

  it('compares targeted samples where both runs tried them', () => {
    const terms = { threatModel: { ...TERMS.threatModel, goal: { kind: 'targeted', target: 3 } as const } };
    const only = (letters: string) =>
      auditOf('', terms, { rows: [...rowsOf(PGD, 0.1, letters), ...rowsOf(FGSM, 0.1, letters)] });
    const before = baselineOf([only(`ee${'h'.repeat(18)}`)]);
    const verdict = gate(only(`hhmmmm${'b'.repeat(4)}${'h'.repeat(10)}`), [DROP], before);
    expect(verdict.findings[0]!.words).toMatch(
      /^10 of 14 samples held, 14 in the baseline: 4 lost, 0 gained/,
    );
    expect(verdict.status).toBe('passed');
  });
});

it('is inconclusive where nothing was to be proven', () => {
  const verdict = gate(auditOf(USUAL), [provenLeast(0)]);
  expect(verdict).toMatchObject({
    status: 'inconclusive',
    findings: [{ words: 'nothing was to be proven' }],
  });
});

describe('what makes a verdict inconclusive', () => {
  const robust = auditOf(WEAK);
  const without = (test: (row: Row) => boolean) => ({ rows: robust.rows.filter((row) => !test(row)) });
  const renamed = robust.rows.map((row) => ({ ...row, sample: `s${row.sample}` }));

  it.each([
    [
      'one step instead of forty',
      auditOf(WEAK, { attacks: { ...TERMS.attacks, [PGD]: { steps: 1 } } }),
      /attack\/pgd\.steps is 1, that of base\.json is 40\. Undo this, or accept it with gauntlet gate --update-baseline\.$/,
    ],
    ['more steps', auditOf(WEAK, { attacks: { ...TERMS.attacks, [PGD]: { steps: 41 } } }), /steps is 41/],
    [
      'an attack that was left out',
      auditOf(
        WEAK,
        { attacks: { [FGSM]: {} } },
        without(({ attack }) => attack === PGD),
      ),
      /attacks\.attack\/pgd is nothing/,
    ],
    [
      'an attack that has no row',
      auditOf(
        WEAK,
        {},
        without(({ attack }) => attack === PGD),
      ),
      /attack\/pgd at epsilon 0\.1 finished 0 of 20 samples/,
    ],
    [
      'one missing row',
      auditOf(
        WEAK,
        {},
        without(({ attack, sample }) => attack === PGD && sample === 7),
      ),
      /attack\/pgd at epsilon 0\.1 finished 19 of 20/,
    ],
    [
      'a row twice',
      auditOf(WEAK, {}, { rows: [...robust.rows, robust.rows[0]!] }),
      /attack\/pgd at epsilon 0\.1 has 21 rows for 20/,
    ],
    [
      'a sample that could not be tried',
      auditOf(
        WEAK,
        {},
        { rows: robust.rows.map((row) => (row.sample === 3 ? { ...row, failure: 'no start' } : row)) },
      ),
      /could not be tried on 1 of 20 samples: no start/,
    ],
    ['other data', auditOf(WEAK, { data: { ...TERMS.data, fingerprint: 'g' } }), /data\.fingerprint is "g"/],
    [
      'fewer samples',
      auditOf(
        '',
        { data: { ...TERMS.data, samples: 19 } },
        without(({ sample }) => sample === 19),
      ),
      /data\.samples is 19/,
    ],
    [
      'a certifier more',
      provenAudit(PROVEN),
      /certifiers is \{"certifier\/ibp":\{\},.*, that of base\.json is nothing/,
    ],
    [
      'one missing certificate',
      provenAudit(PROVEN.slice(1)),
      /certifier\/ibp at epsilon 0\.1 finished 19 of 20 samples/,
    ],
    ['other samples', auditOf(WEAK, {}, { rows: renamed }), /its samples are not those of base\.json/],
    ['fewer restarts', auditOf(WEAK, { restarts: 0 }), /restarts is 0/],
    ['another seed', auditOf(WEAK, { seed: 1 }), /seed is 1/],
    [
      'a budget of queries',
      auditOf(WEAK, { threatModel: { ...TERMS.threatModel, queries: 9 } }),
      /threatModel\.queries is 9, that of base\.json is null/,
    ],
    [
      'a smaller epsilon',
      auditOf(
        WEAK,
        { threatModel: { ...TERMS.threatModel, epsilons: [0.05] } },
        { rows: [...rowsOf(PGD, 0.05, WEAK), ...rowsOf(FGSM, 0.05, WEAK)] },
      ),
      /epsilons is \[0\.05\]/,
    ],
    [
      'a defence that lets no gradient pass',
      auditOf(WEAK, { defences: [{ use: 'defence/jpeg', options: {}, backward: 'none' }] }),
      /defences is \[\{/,
    ],
    [
      'a model that the baseline does not have',
      [robust, auditOf(WEAK, {}, { model: 'new' })],
      /new under small: it is not in base\.json/,
    ],
    ['nothing that was run', [], /digits under small: it is in base\.json, but was not run/],
  ] as const)('%s', (_, audits, doubt) => {
    // Every threshold that can be checked would hold.
    const verdict = gate(audits as AuditFacts, [atLeast(0), DROP]);
    expect(verdict.status).toBe('inconclusive');
    expect(verdict.doubts.join('\n')).toMatch(doubt);
  });

  it('the lack of a baseline', () => {
    expect(gate(robust, [atLeast(0)], null)).toMatchObject({
      status: 'inconclusive',
      doubts: [
        expect.stringMatching(/^There is no baseline base\.json\. Run gauntlet gate --update-baseline/),
      ],
    });
  });

  it('the lack of thresholds', () => {
    expect(gate(robust, []).status).toBe('inconclusive');
  });

  it('a doubt, though a threshold is missed', () => {
    expect(gate(auditOf(USUAL, { seed: 1 }), [atLeast(1)]).status).toBe('inconclusive');
  });

  it('outcomes that were cut', () => {
    const cut = structuredClone(BASELINE);
    cut.audits[0]!.outcomes['0.1'] = 'hhh';
    expect(gate(robust, [DROP], cut)).toMatchObject({
      status: 'inconclusive',
      doubts: [expect.stringContaining('not one for each sample')],
    });
  });
});

it('finds the gaps of an unfinished run', () => {
  expect(gapsOf(auditOf(WEAK))).toEqual([]);
  expect(gapsOf({ terms: TERMS, rows: [] })).toHaveLength(2);
});

describe('a baseline', () => {
  it('reads what was written, in whichever order the rows came', () => {
    expect(readBaseline(JSON.stringify(BASELINE), 'base.json')).toEqual(BASELINE);
    expect(BASELINE.audits[0]!.outcomes).toEqual({ '0.1': USUAL });
    const shuffled = auditOf(USUAL, {}, { rows: [...auditOf(USUAL).rows].reverse() });
    expect(baselineOf([shuffled])).toEqual(BASELINE);
  });

  it.each(['', '{}', '<<<<<<< HEAD', JSON.stringify({ ...BASELINE, version: 2 })])('is not %s', (text) => {
    expect(() => readBaseline(text, 'base.json')).toThrow(
      /^Unexpected content .* at base\.json, expected what gauntlet gate --update-baseline writes\. /,
    );
  });
});
