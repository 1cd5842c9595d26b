import type { RawOptions } from './options.js';
import { parseTrainRequest } from './train-request.js';

const given = (raw: RawOptions = {}) =>
  parseTrainRequest('m.onnx', { data: 'd.npz', defence: 'adversarial-training', out: 'h.onnx', ...raw });

describe('parseTrainRequest', () => {
  it('fills in defaults', () => {
    expect(given()).toEqual({
      model: 'm.onnx',
      data: 'd.npz',
      defence: 'adversarial-training',
      norm: 'linf',
      epsilon: null,
      attack: null,
      settings: [],
      epochs: 10,
      batchSize: 100,
      optimiser: { kind: 'adam', rate: 0.001 },
      patience: Infinity,
      heldOut: null,
      seed: 0,
      bounds: [0, 1],
      input: {},
      engine: null,
      out: 'h.onnx',
      overwrite: false,
    });
  });

  it.each<[string, RawOptions, object]>([
    ['a fraction', { epsilon: '8/255' }, { epsilon: 8 / 255 }],
    ['descent', { optimiser: 'sgd' }, { optimiser: { kind: 'sgd', rate: 0.001, momentum: 0.9 } }],
    [
      'descent without momentum',
      { optimiser: 'sgd', learningRate: '0.1', momentum: '0' },
      { optimiser: { kind: 'sgd', rate: 0.1, momentum: 0 } },
    ],
    [
      'a schedule',
      { epochs: '14', batchSize: '50', patience: '3', heldOut: '500' },
      { epochs: 14, batchSize: 50, patience: 3, heldOut: 500 },
    ],
    ['settings', { set: ['pgd.steps=10'] }, { settings: [{ plugin: 'pgd', option: 'steps', value: 10 }] }],
    [
      'input',
      { mean: '0.5', std: '0.2', bounds: '0,255' },
      { input: { mean: [0.5], std: [0.2] }, bounds: [0, 255] },
    ],
  ])('reads %s', (_, raw, expected) => {
    expect(given(raw)).toMatchObject(expected);
  });

  it.each<[string, RawOptions, RegExp]>([
    ['no data', { data: undefined as never }, /missing --data at the command line.*gauntlet train --help/],
    ['no defence', { defence: undefined as never }, /missing --defence/],
    ['no file to write', { out: undefined as never }, /missing --out/],
    ['a radius of zero', { epsilon: '0' }, /'0' at --epsilon, expected a number above 0/],
    ['several radii', { epsilon: '0.1,0.2' }, /'0\.1,0\.2' at --epsilon/],
    ['no epochs', { epochs: '0' }, /'0' at --epochs, expected a whole number from 1 upwards/],
    ['an unknown optimiser', { optimiser: 'lion' }, /'lion' at --optimiser, expected adam or sgd/],
    ['a rate of zero', { learningRate: '0' }, /'0' at --learning-rate/],
    [
      'momentum of one',
      { optimiser: 'sgd', momentum: '1' },
      /'1' at --momentum, expected a number from 0 up to 1/,
    ],
    ['momentum for Adam', { momentum: '0.5' }, /'0\.5' at --momentum, expected none/],
    ['a norm that is none', { norm: 'l3' }, /'l3' at --norm/],
    ['no patience', { patience: '0' }, /'0' at --patience/],
  ])('refuses %s', (_, raw, sentence) => {
    expect(() => given(raw)).toThrow(sentence);
  });
});
