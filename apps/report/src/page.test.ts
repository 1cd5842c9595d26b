import { renderMarkdown, renderModelCard, renderPage, type Run } from './index.js';
import { certified, HOSTILE, rowOf, runOf } from './testing/run.js';

const VERDICTS = ['held', 'broken', 'broken', 'misclassified'] as const;
const ROWS = VERDICTS.map((verdict, sample) => rowOf({ sample, verdict }));

const hostileRun = (): Run => ({
  ...runOf(
    VERDICTS.map((verdict, i) =>
      rowOf({ sample: `${HOSTILE}${i}`, verdict, attack: HOSTILE, failure: HOSTILE }),
    ),
    {
      model: { name: HOSTILE, sha256: HOSTILE },
      data: { name: HOSTILE, fingerprint: HOSTILE, samples: 4 },
      attacks: [{ use: HOSTILE, options: { [HOSTILE]: HOSTILE } }],
      externalData: { [HOSTILE]: HOSTILE },
      versions: { [HOSTILE]: HOSTILE },
    },
    HOSTILE,
  ),
  certificates: [{ ...certified(0, { outcome: 'robust', radius: 0.1 }), certifier: HOSTILE }],
  classes: [HOSTILE, HOSTILE, HOSTILE],
  audit: {
    ...{ results: [], notRun: [], versions: {} },
    certified: [{ certifier: HOSTILE, words: HOSTILE }],
    metrics: [
      { metric: HOSTILE, attack: HOSTILE, epsilon: null, value: { [HOSTILE]: HOSTILE } },
      { metric: HOSTILE, attack: null, epsilon: null, value: [{ [HOSTILE]: HOSTILE }] },
    ],
  },
});

it('says the verdict in numbers that follow from the rows', () => {
  const page = renderPage(runOf(ROWS));
  expect(page).toContain('75.0% are classified correctly');
  // One of four; SciPy's beta.ppf(0.025, 1, 4) and beta.ppf(0.975, 2, 3).
  expect(page).toContain('the robust accuracy is 25.0%, 95% interval 0.6% to 80.6%.');
  expect(page).not.toContain('not finished');
});

it('says that a run is not finished, and shows what is there', () => {
  const rows = ROWS.slice(0, 3);
  const run = { ...runOf(rows, { data: { name: 'd', fingerprint: '', samples: 4 } }), audit: null };
  const said = 'The run is not finished: 3 of 4 rows are there.';
  expect(renderPage(run)).toContain(said);
  expect(renderMarkdown(run)).toContain(said);
  expect(renderModelCard(run)).toContain(said);
});

it('says of targeted attacks what the share is of', () => {
  const rows = [
    rowOf({ sample: 0, verdict: 'broken', target: 2 }),
    rowOf({ sample: 1, verdict: 'held', target: 2 }),
    rowOf({ sample: 2, verdict: 'exempt', target: 2, label: 2, clean: 2, adversarial: 2 }),
  ];
  const { threatModel } = runOf(rows).plan;
  const run = runOf(rows, { threatModel: { ...threatModel, goal: { kind: 'targeted', target: 2 } } });
  const page = renderPage(run);
  expect(page).toContain('the share of tried samples that was not driven to its target is 50.0%');
  expect(page).toContain('Not attacked: 1 of 3 samples, whose label is the target.');
});

it('tells what was not tried, and why', () => {
  const audit = {
    results: [],
    notRun: [{ attack: 'attack/square', why: 'it runs only where it is named' }],
    versions: {},
  };
  const rows = [...ROWS, rowOf({ sample: 4, verdict: 'held', failure: 'there is no start' })];
  const page = renderPage({ ...runOf(rows), audit });
  expect(page).toContain('Not attacked: 1 of 5 samples, which the model misclassifies anyway.');
  expect(page).toContain('1 sample could not be attacked by pgd: there is no start.');
  expect(page).toContain('square was not run (it runs only where it is named).');
  expect(page).toContain('Every attack that was run follows gradients');
  const blind = ROWS.map((row) => ({ ...row, attack: 'attack/square', gradients: 0 }));
  expect(renderPage(runOf([...ROWS, ...blind]))).not.toContain('Every attack that was run follows gradients');
});

it('shows what is proven, by each certifier at each radius', () => {
  const certificates = [
    certified(0, { outcome: 'robust', radius: 0.1 }),
    certified(1, { outcome: 'robust', radius: 0.1 }),
    certified(2, { outcome: 'unknown', why: 'for tests' }),
    certified(3, { outcome: 'robust', radius: 0.1 }, 2),
  ];
  const run = { ...runOf(ROWS), certificates };
  const words = 'Certificates are certain.';
  const audit = { ...run.audit!, certified: [{ certifier: 'certifier/ibp', words }] };
  const page = renderPage({ ...run, audit });
  expect(page).toContain('By ibp, of 4 samples. Certificates are certain.');
  // Two of four; SciPy's beta.ppf(0.025, 2, 3) and beta.ppf(0.975, 3, 2). The line stays at half up to where the last is proven.
  expect(page.replace(/<[^>]*>|\s+/g, ' ')).toMatch(
    /ibp +0\.1 +75\.0% +50\.0% +6\.8% to 93\.2% +0 +1 +0\.05 /,
  );
  expect(page).toContain('<polyline points="52.0,137.0 684.0,137.0 684.0,137.0" />');
  const row = '| `ibp` | 0.1 | 75.0% | 50.0% | 6.8% to 93.2% | 0 | 1 | 0.05 |';
  for (const text of [renderMarkdown({ ...run, audit }), renderModelCard({ ...run, audit })]) {
    expect(text).toContain(row);
    expect(text).toContain('- Proven by ibp: Certificates are certain.');
  }
  expect(renderPage(runOf(ROWS))).not.toContain('id="proven"');
});

it('falls in steps where certificates reach differently far', () => {
  const certificates = [0.02, 0.05, 0.05, 0.1].map((radius, sample) =>
    certified(sample, { outcome: 'robust', radius }),
  );
  // 100% up to 0.02, 75% up to 0.05, 25% up to 0.1; the plot is 632 by 250, from (52, 12).
  expect(renderPage({ ...runOf(ROWS), certificates })).toContain(
    '<polyline points="52.0,12.0 178.4,12.0 178.4,74.5 368.0,74.5 368.0,199.5 684.0,199.5 684.0,199.5" />',
  );
});

it('falls to nothing where it was asked about more than is proven', () => {
  const certificates = [
    certified(0, { outcome: 'robust', radius: 0.05 }),
    certified(1, { outcome: 'unknown', why: '' }),
  ];
  expect(renderPage({ ...runOf(ROWS), certificates })).toContain(
    '<polyline points="52.0,137.0 368.0,137.0 368.0,262.0 684.0,262.0 684.0,262.0" />',
  );
});

it('shows the values of the metrics that were named, whatever they are', () => {
  const metrics = [
    { metric: 'metric/a', attack: 'attack/pgd', epsilon: 0.1, value: { median: 0.123456, tried: 3 } },
    {
      metric: 'metric/b',
      attack: null,
      epsilon: null,
      value: Array.from({ length: 60 }, (_, n) => ({ n, ok: true })),
    },
    { metric: 'metric/c', attack: null, epsilon: null, certifier: 'certifier/ibp', value: 7 },
  ];
  const run = { ...runOf(ROWS), audit: { ...runOf(ROWS).audit!, metrics } };
  const page = renderPage(run)
    .replace(/<[^>]*>|\s+/g, ' ')
    .replace(/ +/g, ' ');
  expect(page).toContain('a of pgd at 0.1 Name Value median 0.1235 tried 3');
  expect(page).toContain('b n ok 0 true 1 true');
  expect(page).toContain('10 more are in audit.json.');
  expect(page).toContain('c of ibp 7');
  expect(renderMarkdown(run)).toContain('| a of pgd at 0.1 | `{"median":0.123456,"tried":3}` |');
});

it('calls classes by their names, where it knows them', () => {
  const classes = ['cat', 'dog', 'eel'];
  const run = { ...runOf(ROWS), classes };
  const page = renderPage(run);
  expect(page).toContain('<th scope="col">eel</th>');
  expect(page).toContain('"names":["cat","dog","eel"]');
  expect(
    renderMarkdown(run, { against: runOf(ROWS.map((row) => rowOf({ ...row, verdict: 'held' }))) }),
  ).toContain('broken, taken for eel');
});

it('reaches for nothing, and runs nothing but its own script', () => {
  const page = renderPage(runOf(ROWS));
  expect(page).not.toMatch(/https?:|src=|@import|url\(/);
  expect(page).toMatch(
    /content="default-src &#39;none&#39;; script-src &#39;sha256-[\w+/]{43}=&#39;; style-src &#39;sha256-/,
  );
});

it('escapes whatever it shows', () => {
  const page = renderPage(hostileRun(), { against: hostileRun() });
  expect(page.match(/<script/g)).toHaveLength(2);
  expect(page.match(/<\/script/g)).toHaveLength(2);
  expect(page).not.toMatch(/<img|<!--/);
  expect(page).toContain('<h1>&lt;/script&gt;&lt;script&gt;alert(&quot;1&quot;)');
});

it.each([
  ['a pull request', () => renderMarkdown(hostileRun(), { against: hostileRun() })],
  ['a model card', () => renderModelCard(hostileRun())],
])('escapes whatever it says in %s', (_, render) => {
  // What is left beside escaped marks and code, as CommonMark reads it, from left to right.
  const prose = render().replace(/\\[^\w\s]|(`+)(?!`)[^]*?[^`]\1(?!`)/g, '');
  expect(prose.replace(/<\/?(details|summary)>/g, '')).not.toMatch(/[<>]/);
  for (const [, ...lines] of render()
    .trim()
    .split('\n\n')
    .filter((block) => block.startsWith('|'))
    .map((block) => block.split('\n'))) {
    const bars = lines.map((line) => line.match(/(?<!\\)\|/g)!.length);
    expect(new Set(bars).size).toBe(1);
  }
});

it('gives the numbers of the table and the sentence of the page to a pull request', () => {
  const text = renderMarkdown(runOf(ROWS));
  expect(text).toContain('the robust accuracy is 25.0%, 95% interval 0.6% to 80.6%.');
  expect(text).toContain('| `pgd` | 0.1 | 75.0% | 25.0% | 0.6% to 80.6% | 0.1 | 2 |');
  expect(text).toContain(
    '```sh\nnpx gauntlet audit toy.onnx --data toy.npz --norm linf --epsilon 0.1 --attack pgd --limit 4 --batch-size 10 --seed 7\n```',
  );
});

it('gives a model card the data, the threat model and the limits', () => {
  const text = renderModelCard(runOf(ROWS));
  expect(text).toMatch(/^## Adversarial robustness\n/);
  expect(text).toContain(
    'on 4 samples of `toy.npz` (fingerprint `bb`); the model file is `toy.onnx` (SHA-256 `aa`)',
  );
  expect(text).toContain('wants any wrong class');
  expect(text).toContain('robust accuracy is an upper bound');
});

it.each([
  ['a pull request', renderMarkdown],
  ['a model card', renderModelCard],
])('says in %s how attacks met defences', (_, render) => {
  const results = [
    { attack: 'attack/pgd', way: 'adaptive: by gradients through defence/jpeg', options: {} },
    { attack: 'attack/pgd', on: 'static', way: 'static: found without', options: {} },
  ];
  const audit = { results: [...results, ...results], notRun: [], versions: {} };
  expect(render({ ...runOf(ROWS), audit })).toContain(
    '- pgd: adaptive: by gradients through defence/jpeg.\n- pgd on static: static: found without.\n\n',
  );
  expect(render(runOf(ROWS))).not.toContain('adaptive');
});
