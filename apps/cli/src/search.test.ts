import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { searchRegistry } from './registry.js';
import { gauntlet } from './testing/packed.js';

const ANSWER = [
  {
    name: 'gauntlet-attack-theirs',
    version: '2.0.0',
    description: 'Walks \u001b[31mround\n the boundary.',
    keywords: ['gauntlet-plugin'],
  },
  { name: 'gauntlet-attack-other', version: '2.0.0', description: 'Hops.', keywords: ['gauntlet-plugin'] },
  { name: 'boundary', version: '1.0.0', description: 'A boundary of parcels.', keywords: ['parcel'] },
  {
    name: '@gauntlet/attack-pgd',
    version: '9.9.9',
    description: 'The boundary.',
    keywords: ['gauntlet-plugin'],
  },
];

let user = '';
const asked: string[] = [];
const registry = createServer((request, response) => {
  asked.push(request.url!);
  const objects = ANSWER.map((one) => ({
    package: { ...one, date: '2026-01-01T00:00:00.000Z', links: {}, maintainers: [] },
  }));
  response
    .setHeader('content-type', 'application/json')
    .end(JSON.stringify({ objects, total: objects.length }));
});
beforeAll(async () => {
  user = mkdtempSync(join(tmpdir(), 'search-'));
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  registry.close();
  rmSync(user, { recursive: true });
});

const search = (args: string[], port: number) =>
  gauntlet(user, ['plugins', 'search', ...args], undefined, {
    npm_config_registry: `http://127.0.0.1:${port}/`,
  });

it('lists what is shipped and what npm knows, by words, without what steers a terminal', async () => {
  const { port } = registry.address() as AddressInfo;
  expect(await search(['Boundary'], port)).toEqual({
    status: 0,
    err: '',
    out: expect.stringMatching(
      /^attack\/deepfool {2}[^]*\nattack\/hop-skip-jump {2}[^\n]*\n {2}attack; needs labels; l2, linf\n[^\n]*\n\nnpm install gauntlet-attack-theirs\n {2}version 2\.0\.0, by others\n {2}Walks \[31mround the boundary\.\n$/,
    ),
  });
  expect(asked).toEqual([expect.stringContaining('text=keywords%3Agauntlet-plugin&size=250')]);
});

it('lists what is shipped, and says so, where the registry is not reached', async () => {
  const { status, err, out } = await search(['labels', 'L2', '--json'], 1);
  expect(status).toBe(0);
  expect(err).toMatch(
    /^gauntlet: The npm registry was not searched \(npm: \w+\): plugins of others are not listed\.\n$/,
  );
  expect((JSON.parse(out) as { id: string }[]).map(({ id }) => id)).toContain('attack/hop-skip-jump');
});

it('asks nobody where it is told to, and knows what is not there', async () => {
  const before = asked.length;
  const { port } = registry.address() as AddressInfo;
  expect(await search(['no-such-thing', '--offline'], port)).toEqual({
    status: 0,
    err: '',
    out: 'No plugin is known for no-such-thing.\n',
  });
  expect(asked).toHaveLength(before);
});

it('does not wait long', async () => {
  const signal = new AbortController().signal;
  expect(await searchRegistry({ cwd: user, signal }, 1)).toEqual({
    found: [],
    failure: 'no answer within 0.001 s',
  });
});
