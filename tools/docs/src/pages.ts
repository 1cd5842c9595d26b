import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LEFT_OUT = new Set([
  'node_modules',
  'dist',
  'site',
  'gauntlet-out',
  'coverage',
  '.git',
  '.nx',
  '.venv',
]);

/** The paths of all Markdown files under a folder, but of what is installed or made. */
export const markdownIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return LEFT_OUT.has(entry.name) ? [] : markdownIn(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });

/** Blocks of code: what stands on the line before, the language, and what it says. */
export const blocksIn = (page: string) =>
  [...page.matchAll(/(.*)\n\n?```(\w*)\n([^]*?)```/g)].map(([block, before, language, code]) => ({
    block: block!,
    before: before!,
    language: language!,
    code: code!,
  }));

export const text = (path: string): string => readFileSync(path, 'utf8');
