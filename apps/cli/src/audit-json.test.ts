import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { auditJson } from './index.js';

const PUBLISHED = `${import.meta.dirname}/../schema/audit.schema.json`;

it('is published as it is: UPDATE_SCHEMA=1 writes it again', () => {
  const schema = z.toJSONSchema(auditJson, { target: 'draft-07' });
  if (process.env['UPDATE_SCHEMA']) writeFileSync(PUBLISHED, JSON.stringify(schema, null, 2));
  expect(JSON.parse(readFileSync(PUBLISHED, 'utf8'))).toEqual(JSON.parse(JSON.stringify(schema)));
});
