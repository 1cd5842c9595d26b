import type { Access, Evasion, Model } from '@gauntlet/core';
import { portfolio, type Systems } from './portfolio.js';

const attack = (name: string, more: Partial<Evasion> = {}) =>
  ({
    ...{ id: `attack/${name}`, access: 'gradients', norms: ['linf'], finds: 'within-budget', ...more },
  }) as Evasion;

const INSTALLED = [
  attack('fgsm'),
  attack('pgd'),
  attack('apgd', { byDefault: false }),
  attack('deepfool', { finds: 'smallest', byDefault: false }),
  attack('square', { access: 'scores', byDefault: false }),
  attack('hop', { access: 'labels', finds: 'smallest', byDefault: false }),
  attack('cw', { norms: ['l2'], finds: 'smallest' }),
];
const model = (access: Access) => ({ name: 'm.onnx', access }) as Model<Access>;
const alone: Systems = {
  model: model('gradients'),
  closed: [],
  undefended: null,
  open: null,
  surrogates: {},
};
/** Behind a defence that gradients pass; behind one that they do not; behind one of either. */
const passed: Systems = { ...alone, undefended: model('gradients') };
const closed: Systems = { ...passed, model: model('scores'), closed: ['defence/shut'] };
const half: Systems = { ...closed, open: model('gradients') };
const others = (systems: Systems): Systems => ({ ...systems, surrogates: { 'o.onnx': model('gradients') } });

function choose(
  systems: Systems,
  { named = null, ...more }: { named?: readonly string[] | null; access?: Access; static?: boolean } = {},
) {
  const candidates = INSTALLED.filter(({ id }) => named?.some((name) => id === `attack/${name}`) ?? true);
  const asked = { norm: 'linf', attacks: named, access: 'gradients', static: false, ...more } as const;
  return portfolio(candidates, asked, systems, ['A notice.']);
}
const names = (...args: Parameters<typeof choose>) =>
  choose(...args).choices.map(({ attack: { id }, on }) => id.slice(7) + (on === undefined ? '' : ` ${on}`));

it.each<[string, readonly string[], ...Parameters<typeof choose>]>([
  ['a model', ['fgsm', 'pgd'], alone],
  ['a model, by name', ['apgd', 'hop'], alone, { named: ['apgd', 'hop'] }],
  ['a model without gradients', ['square', 'hop'], { ...alone, model: model('scores') }],
  ['a lower ceiling', ['hop'], alone, { access: 'labels' }],
  ['a defence that gradients pass', ['fgsm', 'pgd', 'fgsm static', 'pgd static'], passed],
  ['such a one, by name', ['pgd'], passed, { named: ['pgd'] }],
  [
    'such a one, by name, beside a static evaluation',
    ['deepfool', 'square', 'deepfool static', 'square static'],
    passed,
    { named: ['deepfool', 'square'], static: true },
  ],
  [
    'a defence that they do not',
    ['square', 'hop', 'fgsm undefended', 'pgd undefended', 'fgsm static', 'pgd static'],
    closed,
  ],
  [
    'one of either',
    [
      ...['square', 'hop', 'fgsm open', 'pgd open', 'fgsm undefended', 'pgd undefended'],
      ...['fgsm static', 'pgd static'],
    ],
    half,
  ],
  ['a defence, for who sees scores only', ['square', 'hop'], half, { access: 'scores' }],
  ['other models', ['fgsm o.onnx', 'pgd o.onnx'], others(alone), { access: 'none' }],
  ['other models, and the model', ['pgd', 'pgd o.onnx'], others(alone), { named: ['pgd'] }],
  [
    'other models, by name, as far as the ceiling allows',
    ['hop', 'pgd o.onnx'],
    others(alone),
    { named: ['pgd', 'hop'], access: 'labels' },
  ],
])('against %s: %p', (_, wanted, systems, asked = {}) => {
  expect(names(systems, asked)).toEqual(wanted);
});

it('lists what is not run, and why', () => {
  expect(choose(half).notRun).toEqual([
    { attack: 'attack/fgsm', why: 'no gradient passes defence/shut' },
    { attack: 'attack/pgd', why: 'no gradient passes defence/shut' },
    { attack: 'attack/apgd', why: 'no gradient passes defence/shut' },
    { attack: 'attack/deepfool', why: 'no gradient passes defence/shut' },
    { attack: 'attack/cw', why: 'it does not work in linf' },
  ]);
  expect(choose(passed).notRun[0]).toEqual({
    attack: 'attack/apgd',
    why: 'it takes long: name it with --attack',
  });
  expect(choose(alone).notRun.at(-1)).toEqual({ attack: 'attack/cw', why: 'it does not work in linf' });
});

it.each<[string, string, ...Parameters<typeof choose>]>([
  [
    'gradients that a defence stops, by name',
    'Unexpected defence that no gradient passes at defence/shut, expected gradients for attack/pgd. attack/square can still run on it. Without --attack',
    half,
    { named: ['pgd', 'square'] },
  ],
  [
    'gradients that the model has not',
    'Unexpected model that offers labels at m.onnx, expected gradients for attack/pgd. A notice. No attack that is installed or named can still run on it.',
    { ...alone, model: model('labels') },
    { named: ['pgd'] },
  ],
  [
    'more than the ceiling',
    'Unexpected access labels at --access, expected gradients for attack/pgd.',
    alone,
    { named: ['pgd'], access: 'labels' },
  ],
  ['nothing at all', 'Unexpected access none at --access, expected', alone, { access: 'none' }],
])('refuses %s', (_, message, systems, asked = {}) => {
  expect(() => choose(systems, asked)).toThrow(message);
});
