import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { format, resolveConfig } from 'prettier';

import { coveragePage } from './testing/coverage.js';

const PAGE = join(import.meta.dirname, '../../../docs/coverage.md');

test('docs/coverage.md is what the code and the fixtures say', async () => {
  const page = await format(coveragePage(), { ...(await resolveConfig(PAGE)), filepath: PAGE });
  if (process.env.UPDATE_COVERAGE !== undefined) writeFileSync(PAGE, page);
  expect(readFileSync(PAGE, 'utf8')).toBe(page);
});
