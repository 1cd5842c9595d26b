import { checkConfig } from './check-config.js';
import { auditsOf } from './config-audits.js';
import type { Config } from './config.js';
import { createPlugins } from './plugins.js';
import { ROOT } from './testing/packed.js';

const folder = `${ROOT}examples/digits`;
const plugins = createPlugins(folder);
const path = 'digits.onnx';
const surrogates = ['hardened.onnx'];

const CONFIG: Config = {
  models: { plain: { path }, guarded: { path, defences: { 'feature-squeezing': {} } } },
  data: { path: 'digits.npz', fit: { heldOut: 40 } },
  threatModels: { small: { epsilons: [0.1] }, elsewhere: { epsilons: [0.2], surrogates } },
  thresholds: [{ measure: 'drop' }],
};

const requests = async (change: Partial<Config> = {}) => {
  const value = await checkConfig({ name: 'c', folder, value: { ...CONFIG, ...change } }, plugins);
  const audits = await auditsOf(value, folder, plugins);
  return audits.map(({ model, threatModel, request }) => ({ name: `${model} ${threatModel}`, ...request }));
};

it('takes all that is installed where no attack is named, with the options that are set', async () => {
  for (const { attacks, settings } of await requests({ options: { '@gauntlet/attack-pgd': { steps: 3 } } })) {
    expect(attacks).toBeNull();
    expect(settings).toEqual([{ plugin: 'attack/pgd', option: 'steps', value: 3 }]);
  }
});

it('lets each attack and certifier take part where it belongs', async () => {
  const found = await requests({
    attacks: {
      fgsm: {},
      pgd: { models: ['plain'] },
      square: { threatModels: ['elsewhere'], options: { p: 0.5 } },
    },
    certifiers: { ibp: { models: ['plain'], threatModels: ['small'] } },
  });
  expect(
    found.map(({ name, attacks, certifiers, settings }) => [name, attacks, certifiers, settings.length]),
  ).toEqual([
    ['plain small', ['fgsm', 'pgd'], ['ibp'], 0],
    ['plain elsewhere', ['fgsm', 'pgd', 'square'], [], 1],
    ['guarded small', ['fgsm'], [], 0],
    ['guarded elsewhere', ['fgsm', 'square'], [], 1],
  ]);
});

it('sets samples apart where something is fitted on them, and asks the model nothing beside surrogates', async () => {
  const heldOut = (await requests()).map(({ stack, access }) => [stack.heldOut, access]);
  expect(heldOut).toEqual([
    [null, 'gradients'],
    [null, 'none'],
    [40, 'gradients'],
    [40, 'none'],
  ]);
  const universal = await requests({ attacks: { fgsm: {}, uap: { threatModels: ['small'] } } });
  expect(universal.map(({ stack }) => stack.heldOut)).toEqual([40, null, 40, 40]);
});
