import type { AuditJson } from './audit-json.js';
import { WIDTH } from './layout.js';
import { renderVerdict } from './verdict.js';

const plain = { bold: String, dim: String, red: String, green: String };

const audit: AuditJson = {
  model: { name: 'digits.onnx', sha256: '0'.repeat(64) },
  data: { name: 'digits.npz', samples: 200 },
  seed: 3,
  clean: { accuracy: 0.965 },
  threatModel: {
    words: 'The attacker knows everything.',
    goal: { kind: 'untargeted' },
    confidence: 0,
    access: 'gradients',
    norm: 'linf',
    epsilons: [8 / 255, 0.1],
    box: [0, 1],
    queries: null,
  },
  results: [
    {
      attack: 'attack/pgd',
      norm: 'linf',
      epsilon: 8 / 255,
      options: {},
      robustAccuracy: 0.5,
      interval: [0.42871234, 0.57131234],
      successRate: 0.4,
      distance: { median: 0.031372547, mean: 0.03, max: 0.032, count: 93 },
      queries: 1234567,
      gradients: 1,
      seconds: 12.345,
    },
    {
      attack: 'attack/pgd',
      norm: 'linf',
      epsilon: 0.1,
      options: {},
      robustAccuracy: null,
      interval: [0, 1],
      successRate: null,
      distance: null,
      queries: 0,
      gradients: 0,
      seconds: 0,
    },
  ],
  worstCase: [
    { norm: 'linf', epsilon: 8 / 255, robustAccuracy: 0.5, interval: [0.42871234, 0.57131234] },
    { norm: 'linf', epsilon: 0.1, robustAccuracy: null, interval: [0, 1] },
  ],
  versions: {},
};

it('is a line per attack and epsilon, then the worst case', () => {
  expect(renderVerdict(audit, [{ text: '8/255', value: 8 / 255 }], plain)).toBe(`\
digits.onnx, 200 samples of digits.npz, seed 3
The attacker knows everything.

attack      epsilon  clean  robust   95% interval  median distance  broken    queries    time
pgd           8/255  96.5%   50.0%  42.9% - 57.1%           0.0314      93  1,234,567  12.3 s
pgd             0.1  96.5%       -  0.0% - 100.0%                -       0          0   0.0 s

worst case    8/255  96.5%   50.0%  42.9% - 57.1%
worst case      0.1  96.5%       -  0.0% - 100.0%

Robust: classified correctly and not broken. The interval is the error of sampling only; an attack
that was not run may do better.`);
});

it('says what stands before the model, how each attack went, what was not run, and what is proven', () => {
  const [first, second] = audit.results as [AuditJson['results'][0], AuditJson['results'][0]];
  const defended: AuditJson = {
    ...audit,
    clean: { accuracy: 0.965, rejected: 0.04 },
    defences: [
      {
        ...{ defence: 'defence/jpeg', kind: 'preprocessor', options: { quality: 50 }, backward: 'identity' },
        words: 'BPDA',
      },
      { defence: 'detector/d', kind: 'detector', options: {}, backward: 'none', words: '', threshold: 0.3 },
    ],
    fit: { name: 'clean.npz', fingerprint: '', samples: 40, falseRejections: 0.05 },
    results: [
      { ...first, way: 'adaptive: by gradients' },
      { ...first, way: 'static: elsewhere', on: 'static' },
      { ...second, way: 'static: elsewhere', on: 'static' },
    ],
    certified: [
      {
        certifier: 'defence/s',
        words: 'Wrong one time in 1000.',
        samples: 200,
        clean: 0.9,
        abstained: 1,
        at: [{ epsilon: 0.1, certified: 0.5, interval: [0.4, 0.6], broken: 0, unknown: 80 }],
        meanRadius: 0.2,
      },
    ],
    notRun: [{ attack: 'attack/cw', why: 'it does not work in linf' }],
  };
  expect(renderVerdict(defended, [{ text: '8/255', value: 8 / 255 }], plain)).toBe(`\
digits.onnx, 200 samples of digits.npz, seed 3
The attacker knows everything.
Defended by defence/jpeg quality=50, detector/d. Each detector may turn 5.0% of clean samples away,
by 40 of clean.npz that are not attacked; of those that are, 4.0% are turned away clean.

attack      epsilon  clean  robust   95% interval  median distance  broken    queries    time
Adaptive: by gradients:
pgd           8/255  96.5%   50.0%  42.9% - 57.1%           0.0314      93  1,234,567  12.3 s

Static: elsewhere:
pgd           8/255  96.5%   50.0%  42.9% - 57.1%           0.0314      93  1,234,567  12.3 s
pgd             0.1  96.5%       -  0.0% - 100.0%                -       0          0   0.0 s

worst case    8/255  96.5%   50.0%  42.9% - 57.1%
worst case      0.1  96.5%       -  0.0% - 100.0%

Proven by defence/s. Wrong one time in 1000. No answer to 1 sample, which counts as wrong.
certified       0.1  90.0%   50.0%  40.0% - 60.0%

Not run on the defended model:
  cw: it does not work in linf

Robust: classified correctly and not broken. The interval is the error of sampling only; an attack
that was not run may do better.`);
});

it('adds the metrics that were named, each on one line', () => {
  const metrics = [
    {
      metric: 'metric/security-curve',
      attack: 'attack/cw',
      epsilon: null,
      value: { area: 1 / 3, curve: [{ at: 0 }, { at: null }] },
    },
    { metric: 'metric/none', attack: null, epsilon: 0, value: null },
    { metric: 'metric/long', attack: null, epsilon: null, value: 'x'.repeat(200) },
  ];
  const lines = renderVerdict({ ...audit, metrics }, [], plain).split('\n');
  expect(lines).toContain('security-curve  cw  area 0.3333, curve ((at 0), (at none))');
  expect(lines).toContain('none  0  none');
  const long = lines.find((line) => line.startsWith('long'));
  expect(long).toHaveLength(WIDTH);
  expect(long).toMatch(/x\.\.\. \(audit\.json\)$/);
});

it('says what robust means with a target, and counts one sample', () => {
  const goal = { kind: 'targeted', target: 3 } as const;
  const targeted: AuditJson = {
    ...audit,
    data: { name: 'digits.npz', samples: 1 },
    threatModel: { ...audit.threatModel, goal },
  };
  const text = renderVerdict(targeted, [], plain).replaceAll('\n', ' ');
  expect(text).toContain('digits.onnx, 1 sample of digits.npz');
  expect(text).toContain(
    'Robust: not driven to the target, of the samples that are classified correctly and whose label is not the target. ',
  );
});

it('fits the terminal', () => {
  const lines = renderVerdict(audit, [], plain).split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(WIDTH);
});
