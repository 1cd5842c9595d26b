import type { Plugin, Schema } from '@gauntlet/core';
import { pluginFacts, renderFacts } from './plugin-facts.js';

const options: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
const plugin = (facts: object) =>
  ({ api: 'gauntlet/1', summary: 'Does one thing.', options, ...facts }) as Plugin;

it.each([
  [
    { kind: 'evasion', id: 'attack/a', access: 'labels', norms: ['l2', 'linf'] },
    'attack; needs labels; l2, linf',
  ],
  [{ kind: 'training', id: 'defence/a', norms: ['linf'], crafts: null }, 'defence (training); linf'],
  [{ kind: 'training', id: 'defence/a', norms: [], crafts: null }, 'defence (training)'],
  [{ kind: 'preprocessor', id: 'defence/a', backward: 'exact' }, 'defence (preprocessor)'],
  [{ kind: 'wrapper', id: 'defence/a', backward: 'none' }, 'defence (wrapper)'],
  [{ kind: 'detector', id: 'detector/a', access: 'scores' }, 'detector; needs scores'],
  [{ kind: 'certifier', id: 'certifier/a', certificate: { norms: ['l2'] } }, 'certifier; l2'],
  [{ kind: 'metric', id: 'metric/a', per: 'run' }, 'metric'],
  [{ kind: 'dataset', id: 'dataset/a' }, 'dataset'],
  [{ kind: 'adapter', id: 'adapter/a', engine: 'a' }, 'adapter'],
])('%j is %s', (facts, words) => {
  const { id } = facts;
  expect(renderFacts(pluginFacts(plugin(facts)), 'package 1.0.0')).toBe(
    `${id}  package 1.0.0\n  ${words}\n  Does one thing.\n`,
  );
});
