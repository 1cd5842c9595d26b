import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { auditJson } from './index.js';

const PUBLISHED = `${import.meta.dirname}/../schema/audit.schema.json`;

it('is published as it is: UPDATE_SCHEMA=1 writes it again', () => {
  const schema = `${JSON.stringify(z.toJSONSchema(auditJson, { target: 'draft-07' }), null, 2)}\n`;
  if (process.env['UPDATE_SCHEMA']) writeFileSync(PUBLISHED, schema);
  expect(readFileSync(PUBLISHED, 'utf8')).toBe(schema);
});
