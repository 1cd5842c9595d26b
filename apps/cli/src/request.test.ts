import type { RawOptions } from './options.js';
import { parseRequest } from './request.js';

const parse = (raw: RawOptions = {}) => parseRequest('m.onnx', { data: 'd.npz', epsilon: '8/255', ...raw });

it('has the defaults that the help says', () => {
  expect(parse()).toEqual({
    model: 'm.onnx',
    data: 'd.npz',
    norm: 'linf',
    epsilons: [{ text: '8/255', value: 8 / 255 }],
    attacks: null,
    access: 'gradients',
    certifiers: [],
    stack: { defences: [], members: [], fitData: null, heldOut: null, falseRejections: 0.05 },
    static: false,
    surrogates: [],
    settings: [],
    limit: Infinity,
    batchSize: 'auto',
    memory: 2e9,
    seed: 0,
    restarts: 1,
    queries: null,
    metrics: [],
    engine: null,
    bounds: [0, 1],
    input: {},
    goal: { kind: 'untargeted' },
    budget: null,
    out: null,
    overwrite: false,
    json: false,
  });
});

describe('reads', () => {
  it.each<[RawOptions, object]>([
    [
      { epsilon: '0.3, 8/255,0,8/255,1e-3' },
      {
        epsilons: [
          { text: '0', value: 0 },
          { text: '1e-3', value: 0.001 },
          { text: '8/255', value: 8 / 255 },
          { text: '0.3', value: 0.3 },
        ],
      },
    ],
    [{ attack: 'pgd, @me/gauntlet-attack-x,pgd' }, { attacks: ['pgd', '@me/gauntlet-attack-x'] }],
    [
      { norm: 'l2', limit: '5', batchSize: '1', seed: '0', restarts: '3', queries: '100', metric: 'a, b' },
      { limit: 5, batchSize: 1, restarts: 3, queries: 100, metrics: ['a', 'b'] },
    ],
    [{ batchSize: 'auto' }, { batchSize: 'auto' }],
    [{ memory: '1.5GB' }, { memory: 1.5e9 }],
    [{ memory: '2 GiB' }, { memory: 2 ** 31 }],
    [{ memory: '500m' }, { memory: 5e8 }],
    [{ memory: '1000000' }, { memory: 1e6 }],
    [{ bounds: '-1,1' }, { bounds: [-1, 1] }],
    [{ mean: '0.5', std: '1/4,0.5,2' }, { input: { mean: [0.5], std: [0.25, 0.5, 2] } }],
    [{ output: 'probabilities' }, { input: { output: 'probabilities' } }],
    [{ targeted: '3' }, { goal: { kind: 'targeted', target: 3 } }],
    [{ targeted: 'least-likely' }, { goal: { kind: 'targeted', target: 'least-likely' } }],
    [
      { set: ['pgd.steps=100', 'pgd.randomStart=false', 'x.name=a=b', '@me/a.b.c.d=[1,2]'] },
      {
        settings: [
          { plugin: 'pgd', option: 'steps', value: 100 },
          { plugin: 'pgd', option: 'randomStart', value: false },
          { plugin: 'x', option: 'name', value: 'a=b' },
          { plugin: '@me/a.b.c', option: 'd', value: [1, 2] },
        ],
      },
    ],
    [
      { json: true, overwrite: true, out: 'x' },
      { json: true, overwrite: true, out: 'x' },
    ],
  ])('%j', (raw, expected) => {
    expect(parse(raw)).toMatchObject(expected);
  });
});

describe('refuses', () => {
  it.each<[RawOptions, string]>([
    [{ epsilon: '-0.1' }, "Unexpected '-0.1' at --epsilon, expected a number from 0 upwards."],
    [{ epsilon: '0.1,' }, "Unexpected '' at --epsilon, expected a number or a fraction."],
    [{ epsilon: '1/0' }, "Unexpected '1/0' at --epsilon"],
    [{ epsilon: '1/2/3' }, "Unexpected '1/2/3' at --epsilon"],
    [{ epsilon: 'eight' }, "Unexpected 'eight' at --epsilon"],
    [{ epsilon: 'Infinity' }, "Unexpected 'Infinity' at --epsilon"],
    [{ norm: 'l3' }, "Unexpected 'l3' at --norm, expected linf, l2, l1 or l0."],
    [{ attack: 'pgd,,fgsm' }, "Unexpected 'pgd,,fgsm' at --attack"],
    [{ limit: '0' }, "Unexpected '0' at --limit, expected a whole number from 1 upwards."],
    [{ limit: '1.5' }, "Unexpected '1.5' at --limit"],
    [{ batchSize: '' }, "Unexpected '' at --batch-size"],
    [
      { batchSize: 'automatic' },
      "Unexpected 'automatic' at --batch-size, expected a whole number from 1 upwards, or auto.",
    ],
    [{ memory: '0GB' }, "Unexpected '0GB' at --memory, expected a size in bytes, KB, MB or GB."],
    [{ memory: 'much' }, "Unexpected 'much' at --memory"],
    [{ memory: '2PB' }, "Unexpected '2PB' at --memory"],
    [{ seed: '-1' }, "Unexpected '-1' at --seed"],
    [{ bounds: '1,0' }, "Unexpected '1,0' at --bounds"],
    [{ bounds: '0' }, "Unexpected '0' at --bounds"],
    [{ bounds: '0,1,2' }, "Unexpected '0,1,2' at --bounds"],
    [{ std: '0' }, "Unexpected '0' at --std, expected numbers above 0."],
    [{ targeted: 'any' }, "Unexpected 'any' at --targeted"],
    [{ targeted: '-1' }, "Unexpected '-1' at --targeted"],
    [{ set: ['steps=1'] }, "Unexpected 'steps=1' at --set, expected PLUGIN.OPTION=VALUE."],
    [{ set: ['pgd.steps'] }, "Unexpected 'pgd.steps' at --set"],
  ])('%j', (raw, message) => {
    expect(() => parse(raw)).toThrow(message);
  });
});
