import { commandOf } from './command.js';
import { planOf, rowOf } from './testing/run.js';

const ROWS = [rowOf({ sample: 0, verdict: 'held' })];
const plain = planOf(ROWS);
const HEAD = 'npx gauntlet audit toy.onnx --data toy.npz --norm linf --epsilon 0.1';
const TAIL = '--limit 1 --batch-size 10 --seed 7';
const jpeg = { use: 'defence/jpeg', kind: 'preprocessor', options: { quality: 50 }, backward: 'identity' };

it.each<[string, object, string | null]>([
  ['what is usual', {}, `${HEAD} --attack pgd ${TAIL}`],
  [
    'options',
    { attacks: [{ use: 'attack/pgd', options: { steps: 5, name: 'a b' } }] },
    `${HEAD} --attack pgd --set pgd.steps=5 --set 'pgd.name=a b' ${TAIL}`,
  ],
  [
    'options of the data set that are not its defaults',
    { source: { use: 'dataset/npz', options: { x: 'images', y: 'y' } } },
    `${HEAD} --attack pgd --set npz.x=images ${TAIL}`,
  ],
  [
    'a target, a budget of queries and restarts',
    {
      threatModel: {
        ...plain.threatModel,
        goal: { kind: 'targeted', target: 'next' },
        queries: 9,
        box: [0, 255],
      },
      restarts: 3,
    },
    `${HEAD} --attack pgd --targeted next --queries 9 --restarts 3 ${TAIL} --bounds 0,255`,
  ],
  [
    'normalisation, output and engine',
    { input: { mean: [0.5, 0.4], std: [2], output: 'logits' }, engine: 'tf' },
    `${HEAD} --attack pgd ${TAIL} --mean 0.5,0.4 --std 2 --output logits --engine tf`,
  ],
  [
    'defences, and what is crafted without them',
    {
      defences: [jpeg],
      attacks: [
        { use: 'attack/pgd', options: { steps: 5 } },
        { use: 'attack/pgd', options: { steps: 5 }, on: 'static' },
      ],
    },
    `${HEAD} --attack pgd --static --defence jpeg --set pgd.steps=5 --set jpeg.quality=50 ${TAIL}`,
  ],
  [
    'attacks that run where none is named',
    { defences: [jpeg], attacks: [{ use: 'attack/pgd', options: {}, on: 'open' }] },
    `${HEAD} --defence jpeg --set jpeg.quality=50 ${TAIL}`,
  ],
  [
    'surrogates',
    {
      threatModel: { ...plain.threatModel, access: 'none' },
      surrogates: [{ name: 'other.onnx', sha256: '' }],
      attacks: [{ use: 'attack/pgd', options: {}, on: 'other.onnx' }],
    },
    `${HEAD} --attack pgd --surrogate other.onnx ${TAIL}`,
  ],
  [
    'names that mean something to a shell',
    { model: { name: `$(rm -rf ~) 'x'.onnx`, sha256: '' } },
    `npx gauntlet audit '$(rm -rf ~) '\\''x'\\''.onnx' --data toy.npz --norm linf --epsilon 0.1 --attack pgd ${TAIL}`,
  ],
  ['a defence of several models', { defences: [{ ...jpeg, members: ['aa'] }] }, null],
  ['fitted detectors', { fit: { name: 'd.npz', fingerprint: '', samples: 9, falseRejections: 0.05 } }, null],
])('says the command of %s', (_, more, command) => {
  expect(commandOf({ plan: { ...plain, ...more } as typeof plain })).toBe(command);
});
