import type { OpenModel } from '@gauntlet/core';
import { testAdapter } from '@gauntlet/testing';
import * as tf from '@tensorflow/tfjs';
import adapter, { openTfjs } from './index.js';

beforeAll(async () => {
  tf.enableProdMode();
  await tf.setBackend('cpu');
});

/** A dense layer that hands its input on. */
const identity = (classes: number, shift: number) => {
  const layer = tf.layers.dense({ units: classes, inputShape: [classes] });
  const model = tf.sequential({ layers: [layer] });
  model.setWeights([tf.eye(classes), tf.fill([classes], shift)]);
  return openTfjs(model, { tf, bounds: [-1000, 1000] }) as Promise<OpenModel<'gradients'>>;
};

testAdapter({ adapter, identity });
