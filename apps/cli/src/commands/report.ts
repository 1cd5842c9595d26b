import { readFile, writeFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { unexpected } from '@gauntlet/core';
import {
  readGallery,
  readRun,
  readTrend,
  renderMarkdown,
  renderModelCard,
  renderPage,
  renderTrend,
  renderTrendMarkdown,
} from '@gauntlet/report';
import { atomically } from '../atomically.js';
import { mustExist } from '../files.js';
import type { Terminal } from '../terminal.js';

const FORMATS = ['html', 'markdown', 'model-card'] as const;
type Format = (typeof FORMATS)[number];

/** What `gauntlet report` was asked to write. */
export interface ReportOptions {
  readonly out?: string;
  readonly format?: string;
  readonly against?: string;
  readonly classes?: string;
  readonly trend?: boolean;
}

/** Runs `gauntlet report`: writes the results of a run, or of several, as a page or as text, whole or not at all. */
export async function report(
  folders: readonly string[],
  options: ReportOptions,
  { cwd, out: print }: Terminal,
): Promise<void> {
  const format = formatOf(options);
  const out = options.out ?? (format === 'html' ? 'report.html' : 'report.md');
  const text = await (options.trend ? trendOf : runOf)(folders, { ...options, format, cwd });
  await atomically(resolve(cwd, out), (to) => writeFile(to, text));
  print(`File: ${out}\n`);
}

type Asked = ReportOptions & { readonly format: Format; readonly cwd: string };

async function runOf(folders: readonly string[], { format, against, classes, cwd }: Asked): Promise<string> {
  const [folder, ...others] = folders as [string, ...string[]];
  if (others.length > 0) {
    throw wrong(`${folders.length} folders`, 'one', 'Add --trend, or --against for an older run.');
  }
  const names = classes === undefined ? {} : { classes: await linesOf(classes, cwd) };
  const read = async (name: string) => ({ ...(await readRun(resolve(cwd, name), name)), ...names });
  const run = await read(folder);
  const beside = { against: against === undefined ? undefined : await read(against) };
  if (format === 'markdown') return renderMarkdown(run, beside);
  if (format === 'html') {
    return renderPage(run, { ...beside, gallery: await readGallery(resolve(cwd, folder), run) });
  }
  if (against === undefined) return renderModelCard(run);
  throw wrong('--against with a model card', 'one run', 'Leave --against out, or write --format markdown.');
}

/** The lines of a file of names. */
async function linesOf(name: string, cwd: string): Promise<readonly string[]> {
  await mustExist(resolve(cwd, name), 'a file of names');
  const text = await readFile(resolve(cwd, name), 'utf8');
  return text.trimEnd().split(/\r?\n/);
}

async function trendOf(folders: readonly string[], { format, against, cwd }: Asked): Promise<string> {
  if (against !== undefined) throw wrong('--against with --trend', 'one of them', 'Leave one of them out.');
  if (format === 'model-card') {
    throw wrong('--trend with a model card', 'one run', 'Write --format html or markdown.');
  }
  const trend = await readTrend(folders.map((name) => ({ name, path: resolve(cwd, name) })));
  return format === 'html' ? renderTrend(trend) : renderTrendMarkdown(trend);
}

/** As it was named, or as the extension of the file says. */
function formatOf({ format, out = '' }: ReportOptions): Format {
  if (format === undefined) return extname(out).toLowerCase() === '.md' ? 'markdown' : 'html';
  const known = FORMATS.find((one) => one === format);
  if (known !== undefined) return known;
  throw unexpected({
    found: `'${format}'`,
    at: '--format',
    expected: FORMATS.join(', '),
    remedy: 'Pass one of these formats.',
  });
}

const wrong = (found: string, expected: string, remedy: string) =>
  unexpected({ found, at: 'gauntlet report', expected, remedy });
