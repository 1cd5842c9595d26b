import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { readGallery, readRun, renderPage, renderTrend, readTrend, type Run } from './index.js';
import { certified, HOSTILE, rowOf, runOf, writeRun } from './testing/run.js';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:/Program Files/Google/Chrome/Application/chrome.exe',
];
// The variable is what .ci/run sets: then the browser must be there, and nothing is skipped.
const executablePath = process.env['CHROMIUM'] ?? PLACES.find((path) => existsSync(path));
const inBrowser = executablePath === undefined ? describe.skip : describe;
if (executablePath === undefined) {
  console.warn('No browser: the tests of the page are skipped. Install chromium, or name one in CHROMIUM.');
}

const METRICS = [
  {
    metric: 'metric/a',
    attack: 'attack/pgd',
    epsilon: 0.1,
    value: { median: 0.1, curve: [{ at: 0, share: 1 }] },
  },
  { metric: 'metric/b', attack: null, epsilon: null, value: 7 },
];

inBrowser('the page in a browser', () => {
  let folder = '';
  let browser: Browser;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'page-'));
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  /** Opens a page from disk; whatever it says on the console, asks the network for or pops up is kept. */
  async function open(html: string, options: BrowserContextOptions = {}) {
    const path = join(folder, 'report.html');
    writeFileSync(path, html);
    const page = await browser.newPage(options);
    const noise: string[] = [];
    page.on('console', (message) => noise.push(message.text()));
    page.on('pageerror', (error) => noise.push(String(error)));
    page.on('dialog', (dialog) => noise.push(dialog.message()));
    page.on('request', (request) => {
      if (!/^(file|data):/.test(request.url())) noise.push(request.url());
    });
    await page.goto(pathToFileURL(path).href);
    return { page, noise };
  }

  const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
  async function violations(page: Page): Promise<readonly string[]> {
    await page.evaluate(readFileSync(axe, 'utf8'));
    const found = await page.evaluate("axe.run({ resultTypes: ['violations'], preload: false })");
    return (found as { violations: { id: string; nodes: { html: string }[] }[] }).violations.map(
      ({ id, nodes }) => `${id}: ${nodes[0]!.html}`,
    );
  }

  /** Four digits of two pixels' difference, two of them broken by each of two attacks. */
  async function pictured(): Promise<{ run: Run; html: string }> {
    const rows = ['attack/pgd', 'attack/deepfool'].flatMap((attack, a) =>
      [0, 1, 2, 3].map((sample) =>
        rowOf({
          sample,
          attack,
          verdict: sample < 2 ? 'broken' : 'held',
          ...(sample < 2 && {
            distance: { l0: 1, l1: 0.1, l2: 0.1, linf: 0.04 + 0.02 * sample + 0.01 * a },
            scores: { clean: [4.5, 1.25], adversarial: [2, 3.5] },
          }),
        }),
      ),
    );
    const x = new Float32Array(8 * 64).fill(0.25);
    const xAdv = x.map((value, i) => (i % 64 === 9 ? value + 0.05 : value));
    const audit = { ...runOf(rows).audit!, metrics: METRICS };
    const certificates = [0, 1, 2].map((sample) =>
      certified(sample, { outcome: 'robust', radius: 0.1 / (1 + sample) }),
    );
    await writeRun(
      join(folder, 'run'),
      { ...runOf(rows), audit, certificates },
      { shape: [1, 8, 8], x, xAdv },
    );
    const run = { ...(await readRun(join(folder, 'run'), 'run')), classes: ['cat', 'dog', 'eel'] };
    const gallery = await readGallery(join(folder, 'run'), run);
    const better = runOf(rows.map((row) => ({ ...row, ...rowOf({ ...row, verdict: 'held' }) })));
    return { run, html: renderPage(run, { gallery, against: better }) };
  }

  it.each(['light', 'dark'] as const)('gives axe nothing to find, in %s', async (colorScheme) => {
    const { page, noise } = await open((await pictured()).html, { colorScheme });
    // Also what is folded at first.
    await page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))");
    expect(await violations(page)).toEqual([]);
    expect(noise).toEqual([]);
    const paper = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(paper).toBe(colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(20, 23, 27)');
    await page.close();
  });

  it('gives axe nothing to find in a trend', async () => {
    await pictured();
    const trend = await readTrend([{ path: folder, name: 'runs' }]);
    const { page, noise } = await open(renderTrend(trend));
    expect(await violations(page)).toEqual([]);
    expect(noise).toEqual([]);
    await page.close();
  });

  it('fits a narrow screen: what is wider scrolls by itself', async () => {
    const { page } = await open((await pictured()).html, { viewport: { width: 320, height: 640 } });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
    await page.close();
  });

  it('shows pictures by distance, and by attack', async () => {
    const { page } = await open((await pictured()).html);
    const titles = () =>
      page.locator('.cards > li').evaluateAll((cards) => cards.map((card) => card.textContent));
    const distances = async () => (await titles()).map((text) => /distance ([\d.]+)/.exec(text!)![1]);
    expect(await distances()).toEqual(['0.04', '0.05', '0.06', '0.07']);
    expect((await titles())[0]).toContain('Sample 0: dog → eel');
    expect((await titles())[0]).toContain('score of dog: 4.5 → 2');
    await page.getByLabel('Order').selectOption('farthest first');
    expect(await distances()).toEqual(['0.07', '0.06', '0.05', '0.04']);
    await page.locator('#gallery ~ div').getByLabel('Attack').selectOption('deepfool');
    expect(await distances()).toEqual(['0.07', '0.05']);
    // The script's pictures are decoded, whatever the policy says about images.
    const widths = 'Array.from(document.images, (image) => image.naturalWidth)';
    expect(new Set((await page.evaluate(widths)) as number[])).toEqual(new Set([8]));
    await page.close();
  });

  it('is worked by keyboard alone', async () => {
    const { page } = await open((await pictured()).html);
    const table = page.locator('[data-table=rows]');
    const column = () => table.locator('tbody tr td:nth-child(8)').allTextContents();
    await table.getByRole('button', { name: 'Distance' }).focus();
    await page.keyboard.press('Enter');
    expect(await column()).toEqual(['0.04', '0.05', '0.06', '0.07', '-', '-', '-', '-']);
    await page.keyboard.press('Enter');
    expect(await column()).toEqual(['0.07', '0.06', '0.05', '0.04', '-', '-', '-', '-']);
    expect(await table.locator('th[aria-sort]').getAttribute('aria-sort')).toBe('descending');
    await table.getByLabel('Outcome').focus();
    await page.keyboard.press('b');
    expect(await table.getByRole('status').textContent()).toBe('1 to 4 of 4 rows');
    await page.close();
  });

  it('lists each sample that got worse', async () => {
    const { page } = await open((await pictured()).html);
    const table = page.locator('[data-table=worse]');
    expect(await table.locator('tbody tr').allTextContents()).toEqual([
      expect.stringMatching(/^0worst case0\.1dogbroken, taken for eel0\.04$/),
      expect.stringMatching(/^1worst case0\.1dogbroken, taken for eel0\.06$/),
    ]);
    await page.close();
  });

  it('prints what is folded, on white', async () => {
    const { page } = await open((await pictured()).html, { colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print' });
    const folded = page.locator('details.numbers table').first();
    expect((await folded.boundingBox())!.height).toBeGreaterThan(20);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)');
    await page.close();
  });

  it('does nothing that hostile names ask for', async () => {
    const rows = ['broken', 'held', 'misclassified'].map((verdict, i) =>
      rowOf({ sample: `${HOSTILE}${i}`, verdict: verdict as 'held', attack: HOSTILE, failure: HOSTILE }),
    );
    const run = runOf(
      rows,
      { model: { name: HOSTILE, sha256: HOSTILE }, attacks: [{ use: HOSTILE, options: {} }] },
      HOSTILE,
    );
    const { page, noise } = await open(renderPage(run, { against: run }));
    expect(noise).toEqual([]);
    expect(await page.locator('h1').textContent()).toBe(HOSTILE);
    expect(await page.locator('[data-table=rows] tbody th').first().textContent()).toBe(`${HOSTILE}0`);
    expect(await page.evaluate('document.images.length')).toBe(0);
    await page.close();
  });

  it('holds 50,000 rows in few elements', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) =>
      rowOf({
        sample: i >> 2,
        epsilon: 0.1 * (1 + (i & 3)),
        verdict: i % 3 === 0 ? 'broken' : 'held',
        label: i % 100,
        adversarial: (i * 7) % 100,
      }),
    );
    const { page } = await open(renderPage(runOf(rows)));
    expect(await page.evaluate("document.querySelectorAll('*').length")).toBeLessThan(3_000);
    const table = page.locator('[data-table=rows]');
    expect(await table.getByRole('status').textContent()).toBe('1 to 15 of 50,000 rows');
    await table.getByRole('button', { name: 'Sample' }).click();
    await table.getByRole('button', { name: 'Sample' }).click();
    expect(await table.locator('tbody th').first().textContent()).toBe('12499');
    await page.close();
  });
});
