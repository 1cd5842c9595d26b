import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Row } from '@gauntlet/core';
import { readRun, renderPage } from '@gauntlet/report';
import { chromium, type Page } from 'playwright-core';
import { median } from './measure.js';

const SAMPLES = 2500;
const ATTACKS = ['attack/pgd', 'attack/fgsm', 'attack/square', 'attack/deepfool'];
const EPSILONS = [0.01, 0.02, 0.05, 0.1, 0.2];
const TURNS = 5;

/** Rows of a made-up run: what a report costs depends on how many there are. */
function* rows(): Generator<Row> {
  for (const attack of ATTACKS) {
    for (const epsilon of EPSILONS) {
      for (let sample = 0; sample < SAMPLES; sample++) {
        const far = 0.005 + (0.3 * ((sample * 7919) % SAMPLES)) / SAMPLES;
        const broken = far <= epsilon;
        const label = sample % 10;
        yield {
          ...{ model: 'm.onnx', sample, attack, finds: 'within-budget', norm: 'linf', epsilon, label },
          ...{ target: null, clean: label, adversarial: broken ? (label + 1 + (sample % 9)) % 10 : label },
          verdict: broken ? 'broken' : 'held',
          distance: broken ? { l0: 784, l1: 784 * far, l2: 28 * far, linf: far } : null,
          ...{ queries: 1 + (sample % 41), gradients: sample % 41, seconds: 0.001, seed: 0 },
        };
      }
    }
  }
}

const plan = {
  model: { name: 'm.onnx', sha256: '' },
  data: { name: 'd.npz', fingerprint: '', samples: SAMPLES },
  threatModel: {
    ...{ goal: { kind: 'untargeted' }, access: 'gradients', confidence: 0, norm: 'linf', epsilons: EPSILONS },
    ...{ box: [0, 1], queries: null },
  },
  attacks: ATTACKS.map((use) => ({ use, options: {} })),
  seed: 0,
};

/** Milliseconds from asking for the page until the browser has shown it, script and all. */
async function opening(page: Page, url: string): Promise<number> {
  const start = performance.now();
  await page.goto(url);
  await page.evaluate('new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))');
  return performance.now() - start;
}

/** Milliseconds from a click until the browser has shown what it did. */
const answering = (page: Page, selector: string) =>
  page.evaluate(`new Promise((shown) => {
    const start = performance.now();
    document.querySelector(${JSON.stringify(selector)}).click();
    requestAnimationFrame(() => requestAnimationFrame(() => shown(performance.now() - start)));
  })`) as Promise<number>;

const folder = mkdtempSync(join(tmpdir(), 'bench-report-'));
const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan));
  writeFileSync(join(folder, 'audit.json'), '{}');
  const lines = [...rows()].map((row) => `${JSON.stringify(row)}\n`);
  writeFileSync(join(folder, 'outcomes.jsonl'), lines.join(''));
  const start = performance.now();
  const file = join(folder, 'report.html');
  writeFileSync(file, renderPage(await readRun(folder, 'bench')));
  const written = performance.now() - start;

  const url = pathToFileURL(file).href;
  const times: Record<string, number[]> = { opening: [], sorting: [], leafing: [] };
  let elements = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    const page = await (await browser.newContext()).newPage();
    times['opening']!.push(await opening(page, url));
    times['sorting']!.push(await answering(page, '[data-table=rows] th:nth-child(8) button'));
    times['leafing']!.push(await answering(page, '[data-table=rows] .controls button:nth-of-type(2)'));
    elements = (await page.evaluate("document.querySelectorAll('*').length")) as number;
    await page.context().close();
  }
  const shown = (name: string) => `${median(times[name]!).toFixed(0)} ms`;
  console.log(
    `report of ${lines.length.toLocaleString('en')} rows, ${(statSync(file).size / 1e6).toFixed(1)} MB`,
  );
  console.log(`written in ${(written / 1000).toFixed(1)} s; ${elements} elements`);
  console.log(`opened in ${shown('opening')}, sorted in ${shown('sorting')}, leafed in ${shown('leafing')}`);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
