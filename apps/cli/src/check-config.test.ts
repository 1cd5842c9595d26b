import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { checkConfig } from './check-config.js';
import { type Config, configSchema, defineConfig } from './config.js';
import { createPlugins } from './plugins.js';
import { ROOT } from './testing/packed.js';

const folder = `${ROOT}examples/digits`;
const plugins = createPlugins(folder);
const check = (value: unknown) => checkConfig({ name: 'c', folder, value }, plugins);

const GOOD = defineConfig({
  models: { digits: { path: 'digits.onnx' } },
  data: { path: 'digits.npz' },
  threatModels: { small: { epsilons: [0.05, '8/255'] }, round: { norm: 'l2', epsilons: [1] } },
  attacks: { pgd: { options: { steps: 40 } }, cw: { threatModels: ['round'] } },
  thresholds: [
    { measure: 'robust-accuracy', atLeast: 0.7, threatModel: 'small', epsilon: '8/255' },
    { measure: 'drop' },
  ],
});

it('fills in defaults', async () => {
  expect(await check(GOOD)).toMatchObject({
    data: { bounds: [0, 1], options: {} },
    certifiers: {},
    threatModels: {
      small: { norm: 'linf', epsilons: [{}, { text: '8/255', value: 8 / 255 }] },
    },
    restarts: 1,
    seed: 0,
    baseline: 'gauntlet-baseline.json',
  });
});

const MODEL = { path: 'digits.onnx' };
const GUARDED = { digits: { ...MODEL, defences: { 'feature-squeezing': {} } } };

/** Cases: what is changed, and the only thing that is said. */
const CASES: readonly (readonly [change: Record<string, unknown>, said: RegExp])[] = [
  [
    { modles: {} },
    /key 'modles' at the configuration, expected one of models, data, .*\. Did you mean models\?/,
  ],
  [{ models: {} }, /object at models, expected at least one model/],
  [{ models: 3 }, /3 at models, expected an object/],
  [{ models: { digits: { path: 'digit.onnx' } } }, /missing file 'digit\.onnx' at models\.digits\.path/],
  [{ models: { '../x': { path: 'digits.onnx' } } }, /name '\.\.\/x' at models, expected letters/],
  [
    { models: { digits: { path: 'digits.onnx', mean: 'x' } } },
    /'x' at models\.digits\.mean, expected a number or a fraction/,
  ],
  [
    { models: { digits: { path: 'digits.onnx', defences: { jpg: {} } } } },
    /defence 'jpg' at models\.digits\.defences\.jpg, .* Did you mean jpeg\?/,
  ],
  [
    { models: { digits: { path: 'digits.onnx', defences: { 'bit-depth': { bitz: 1 } } } } },
    /option 'bitz' at models\.digits\.defences\.bit-depth, .* Did you mean bits\?/,
  ],
  [{ data: undefined }, /nothing at data, expected an object\. Add it\./],
  [{ data: { path: 'digits.npz', limits: 3 } }, /key 'limits' at data, .* Did you mean limit\?/],
  [
    { data: { path: 'digits.npz', bounds: [1, 0] } },
    /list at data\.bounds, expected the smallest and the largest/,
  ],
  [
    { data: { path: 'digits.npz', options: { xx: 'x' } } },
    /option 'xx' at data\.options, expected one of x, y/,
  ],
  [{ data: { path: 'README.md' } }, /file of the kind '\.md' at/],
  [
    { threatModels: { small: { epsilons: [0.05, '8/255'], norm: 'lx' }, round: GOOD.threatModels['round'] } },
    /value 'lx' at threatModels\.small\.norm, expected one of linf, l2, l1, l0\./,
  ],
  [
    { threatModels: { small: { epsilons: ['8/255', 'eight'] }, round: GOOD.threatModels['round'] } },
    /'eight' at threatModels\.small\.epsilons\[1\], expected a number or a fraction/,
  ],
  [
    {
      threatModels: { ...GOOD.threatModels, more: { epsilons: [1] } },
      attacks: { pgd: { threatModels: ['small'] }, cw: { threatModels: ['round'] } },
    },
    /no attack at threatModels\.more, expected at least one/,
  ],
  [
    { attacks: { pgdd: {}, cw: { threatModels: ['round'] } } },
    /attack 'pgdd' at attacks\.pgdd, .* Did you mean pgd\?/,
  ],
  [
    { attacks: { pgd: { options: { step: 4 } } } },
    /option 'step' at attacks\.pgd\.options, expected one of steps, stepSize, randomStart\. Did you mean steps\?/,
  ],
  [
    { attacks: { pgd: { options: { steps: 0 } } } },
    /0 at attacks\.pgd\.options\.steps, expected a number of at least 1/,
  ],
  [
    { attacks: { pgd: { options: { steps: 'x' } } } },
    /'x' at attacks\.pgd\.options\.steps, expected a number\./,
  ],
  [{ attacks: { pgd: { option: {} } } }, /key 'option' at attacks\.pgd, .* Did you mean options\?/],
  [
    { attacks: { pgd: {}, cw: {} } },
    /norm linf of threatModels\.small at attacks\.cw, expected l2\. Say with attacks\.cw\.threatModels/,
  ],
  [
    { attacks: { pgd: {}, cw: { threatModels: ['rond'] } } },
    /threat model 'rond' at attacks\.cw\.threatModels, .* Did you mean round\?/,
  ],
  [
    {
      threatModels: {
        small: { ...GOOD.threatModels['small'], access: 'labels' },
        round: GOOD.threatModels['round'],
      },
    },
    /access labels of threatModels\.small at attacks\.pgd, expected gradients, which it needs/,
  ],
  [
    { attacks: { pgd: {}, '@gauntlet/attack-pgd': {} } },
    /attack\/pgd, which is attacks\.pgd too at attacks\.@gauntlet\/attack-pgd, expected each once/,
  ],
  [
    { attacks: { pgd: {}, '@gauntlet/attack-pgd': {} } },
    /attack\/pgd, which is attacks\.pgd too at attacks\.@gauntlet\/attack-pgd, expected each once/,
  ],
  [
    { attacks: { pgd: {}, cw: { threatModels: ['round'], models: ['digit'] } } },
    /model 'digit' at attacks\.cw\.models, .* Did you mean digits\?/,
  ],
  [
    {
      models: { digits: MODEL, other: MODEL },
      attacks: { pgd: { threatModels: ['small'] }, cw: { threatModels: ['round'], models: ['other'] } },
    },
    /no attack for digits at threatModels\.round, expected at least one/,
  ],
  [{ thresholds: [] }, /empty list at thresholds, expected a list of at least 1 value\./],
  [
    { thresholds: [{ measure: 'robust-acuracy', atLeast: 1 }] },
    /value 'robust-acuracy' at thresholds\[0\]\.measure, .* Did you mean robust-accuracy\?/,
  ],
  [
    { thresholds: [{ measure: 'drop', atLeast: 1 }] },
    /key 'atLeast' at thresholds\[0\], expected one of measure, model, threatModel, epsilon\./,
  ],
  [
    { thresholds: [{ measure: 'lower-bound' }] },
    /nothing at thresholds\[0\]\.atLeast, expected a number\. Add it\./,
  ],
  [
    { thresholds: [{ measure: 'lower-bound', atLeast: 70 }] },
    /70 at thresholds\[0\]\.atLeast, expected a number of at most 1/,
  ],
  [
    { thresholds: [{ measure: 'drop', threatModel: 'smal' }] },
    /threat model 'smal' at thresholds\[0\]\.threatModel, .* Did you mean small\?/,
  ],
  [
    { thresholds: [{ measure: 'drop', model: 'digit' }] },
    /model 'digit' at thresholds\[0\]\.model, .* Did you mean digits\?/,
  ],
  [
    { thresholds: [{ measure: 'drop', threatModel: 'small', epsilon: 1 }] },
    /epsilon '1' at thresholds\[0\]\.epsilon, expected one of 0\.05, 8\/255/,
  ],
  [
    { models: { digits: { ...MODEL, members: ['hardened.onnx'] } } },
    /files at models\.digits\.members, expected a defence that takes several models, named last/,
  ],
  [
    { models: { digits: { ...MODEL, defences: { ensemble: {} } } } },
    /nothing at models\.digits\.members, expected the files of the other models of defence\/ensemble/,
  ],
  [
    { models: { digits: { ...MODEL, defences: { ensemble: {} }, members: ['hard.onnx'] } } },
    /missing file 'hard\.onnx' at models\.digits\.members\[0\]/,
  ],
  [
    { models: { digits: { ...MODEL, static: true } } },
    /true at models\.digits\.static, expected a defence to leave out/,
  ],
  [
    { data: { path: 'digits.npz', fit: { heldOut: 20 } } },
    /samples to fit on at data\.fit, expected a detector among the defences, or a universal attack/,
  ],
  [
    { models: GUARDED, data: { path: 'digits.npz', fit: { path: 'no.npz' } } },
    /missing file 'no\.npz' at data\.fit\.path/,
  ],
  [
    { models: GUARDED, data: { path: 'digits.npz', fit: { path: 'digits.npz', heldOut: 20 } } },
    /object at data\.fit, expected path or heldOut, not both/,
  ],
  [
    { models: GUARDED, data: { path: 'digits.npz', fit: { falseRejection: 0.1 } } },
    /key 'falseRejection' at data\.fit, .* Did you mean falseRejections\?/,
  ],
  [
    {
      threatModels: {
        small: { epsilons: [0.1], surrogates: ['hard.onnx'] },
        round: GOOD.threatModels['round'],
      },
      thresholds: [{ measure: 'drop' }],
    },
    /missing file 'hard\.onnx' at threatModels\.small\.surrogates\[0\]/,
  ],
  [
    { attacks: undefined, options: { pgd: { step: 1 } } },
    /option 'step' at options\.pgd, expected one of steps, .* Did you mean steps\?/,
  ],
  [{ options: { pgd: {} } }, /options beside attacks at options, expected them under attacks\.NAME\.options/],
  [
    { metrics: ['security-curv'] },
    /metric 'security-curv' at metrics\[0\], .* Did you mean security-curve\?/,
  ],
  [{ certifiers: { ibb: {} } }, /certifier 'ibb' at certifiers\.ibb, .* Did you mean ibp\?/],
  [
    { certifiers: { ibp: { threatModels: ['smal'] } } },
    /threat model 'smal' at certifiers\.ibp\.threatModels, .* Did you mean small\?/,
  ],
  [
    { certifiers: { ibp: {} } },
    /norm l2 of threatModels\.round at certifiers\.ibp, expected linf\. Say with certifiers\.ibp\.threatModels/,
  ],
  [
    { thresholds: [{ measure: 'certified-accuracy', atLeast: 0.1 }] },
    /'certified-accuracy' at thresholds\[0\]\.measure, expected a certifier for digits under small, digits under round/,
  ],
  [{ seed: 'x' }, /'x' at seed, expected a number/],
  [{ memory: 'much' }, /'much' at memory, expected a size/],
];

it.each(CASES)('says what is wrong with %j, and nothing else', async (change, said) => {
  const error = (await check({ ...GOOD, ...change }).catch((thrown: unknown) => thrown)) as Error;
  expect(error.message).toMatch(said);
  expect(error.message.split('\n')).toHaveLength(1);
});

it('takes what a defence proves about its own answers for a certifier, in its norms', async () => {
  const models = { digits: { ...MODEL, defences: { smoothing: {} } } };
  const thresholds = (threatModel: string) => [{ measure: 'certified-accuracy', atLeast: 0.1, threatModel }];
  await check({ ...GOOD, models, thresholds: thresholds('round') });
  await expect(check({ ...GOOD, models, thresholds: thresholds('small') })).rejects.toThrow(
    /expected a certifier for digits under small\./,
  );
});

it('refuses an attack that reads the model, where the threat model does not let it know the model', async () => {
  const reads = { ...(await plugins.attack('square')), reads: 'trees' as const };
  const value = {
    ...GOOD,
    threatModels: { small: { epsilons: [0.1], access: 'scores' } },
    attacks: { square: {} },
    thresholds: [{ measure: 'drop' }],
  };
  await check(value);
  const own = { ...plugins, attack: async () => reads as never };
  await expect(checkConfig({ name: 'c', folder, value }, own)).rejects.toThrow(
    /access scores of threatModels\.small at attacks\.square, expected gradients, which it needs/,
  );
});

it('says all at once', async () => {
  const value = {
    modles: 1,
    models: { digits: { path: 'no.onnx' } },
    data: { path: 'digits.npz', limit: 0 },
    threatModels: { small: { epsilons: [] } },
    attacks: { pgdd: {}, pgd: { options: { stepz: 1 } } },
    thresholds: [{ measure: 'drop', model: 'x' }, 3],
  };
  const { message } = (await check(value).catch((thrown: unknown) => thrown)) as Error;
  expect(message.split('\n').map((line) => / at (\S+), expected/.exec(line)?.[1])).toEqual([
    'data.limit',
    'threatModels.small.epsilons',
    'thresholds[1]',
    undefined,
    'models.digits.path',
    'attacks.pgdd',
    'attacks.pgd.options',
    'thresholds[0].model',
  ]);
  expect(message).toMatch(/key 'modles' at the configuration/);
});

it.each([null, 3, 'text', []])('is not %j', async (value) => {
  await expect(check(value)).rejects.toThrow(/at the configuration, expected an object/);
});

const PUBLISHED = `${import.meta.dirname}/../schema/config.schema.json`;

it('is published as it is: UPDATE_SCHEMA=1 writes it again', () => {
  const schema = z.toJSONSchema(configSchema, { target: 'draft-07', io: 'input' });
  if (process.env['UPDATE_SCHEMA']) writeFileSync(PUBLISHED, `${JSON.stringify(schema, null, 2)}\n`);
  expect(JSON.parse(readFileSync(PUBLISHED, 'utf8'))).toEqual(JSON.parse(JSON.stringify(schema)));
});

it('is typed', () => {
  // @ts-expect-error there is no such measure
  const wrong: Config['thresholds'] = [{ measure: 'speed' }];
  expect(configSchema.shape.thresholds.safeParse(wrong).success).toBe(false);
});
