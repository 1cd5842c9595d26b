import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { called } from '../../../apps/cli/src/testing/called.js';

const home = process.cwd();
const GUIDE = join(home, 'docs/guide');

/** Code in a page: what comes before it on the page, its language, and what it says. */
const BLOCK = /(.*)\n\n```(\w+)\n([^]*?)```/g;

/** Without the times that it took, which differ. */
const timeless = (text: string) => text.replace(/ +\d+\.\d s\b/g, ' ? s');

/** What a reader of the page can run beside the files of the examples: not what is said of files of his own. */
const runs = (line: string) => line.startsWith('npx gauntlet') && !line.includes(' model.onnx');

afterEach(() => process.chdir(home));

it.each(readdirSync(GUIDE))('%s does what it says', async (name) => {
  const folder = mkdtempSync(join(tmpdir(), 'guide-'));
  cpSync('examples/digits', folder, { recursive: true });
  process.chdir(folder);
  const path = join(GUIDE, name);
  let page = readFileSync(path, 'utf8');
  let printed = '';
  for (const [block, before, language, code] of page.matchAll(BLOCK)) {
    if (language === 'ts') writeFileSync(join(folder, /`([\w.]+)`:$/.exec(before!)![1]!), code!);
    if (language === 'text' && process.env['UPDATE_README'] === '1')
      page = page.replace(block, () => `${before}\n\n\`\`\`text\n${printed}\`\`\``);
    else if (language === 'text') expect(timeless(printed)).toBe(timeless(code!));
    if (language !== 'sh') continue;
    for (const line of code!.trim().split('\n').filter(runs)) {
      const args = line.split(/ +/).slice(2);
      // The trial that finds a batch size takes a second, and decides no outcome.
      if (args[0] === 'audit') args.push('--batch-size', '100');
      const { status, out, err } = await called(folder, args);
      if (status !== 0) throw new Error(`${line} ends with ${status}: ${err}`);
      printed = out.replace(/\n\nFiles: [^]*$/, '\n');
    }
  }
  if (process.env['UPDATE_README'] === '1') writeFileSync(path, page);
  rmSync(folder, { recursive: true, force: true });
});
