// The adapter for tfjs on its native addon, which setup has made: node --test tools/native-tfjs
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import tf from '@tensorflow/tfjs-node';
import onnx from '@gauntlet/adapter-onnx';
import adapter, { openTfjs } from '@gauntlet/adapter-tfjs';
import fgsm from '@gauntlet/attack-fgsm';
import pgd from '@gauntlet/attack-pgd';
import { evade, parseOptions } from '@gauntlet/core';
import npz from '@gauntlet/dataset-npz';
import { crossEntropy } from '@gauntlet/kit';
import { row, rows } from '@gauntlet/tensor';
import { testAdapter } from '@gauntlet/testing';

const ROOT = `${import.meta.dirname}/../../`;
const FIXTURES = `${ROOT}fixtures/tfjs/`;
const BOUNDS = [0, 1];
const SAMPLES = 200;

it('runs on the native addon', () => assert.equal(tf.getBackend(), 'tensorflow'));

testAdapter(
  {
    adapter,
    identity(classes, shift) {
      const model = tf.sequential({ layers: [tf.layers.dense({ units: classes, inputShape: [classes] })] });
      model.setWeights([tf.eye(classes), tf.fill([classes], shift)]);
      return openTfjs(model, { tf, bounds: [-1000, 1000] });
    },
  },
  { runner: { describe, it } },
);

const goalOf = (y) => ({ kind: 'untargeted', classes: y, confidence: 0 });

/** The points that an attack ends at, and the samples that it breaks. */
async function attacked(attack, model, { x, y }, epsilon) {
  const { points, reached } = await evade({
    ...{
      attack,
      options: await parseOptions(attack.options, {}, attack.id),
      norm: 'linf',
      model,
      x,
      epsilon,
    },
    ...{
      ids: [...y.keys()],
      goal: goalOf(y),
      clean: await model.labels(x),
      box: BOUNDS,
      restarts: 1,
      seed: 0,
    },
    signal: new globalThis.AbortController().signal,
  });
  return { points, broken: reached.reduce((sum, hit) => sum + hit, 0) };
}

const size = (numbers) => Math.hypot(...numbers);
const relative = (found, wanted) => size(found.map((value, i) => value - wanted[i])) / size(wanted);

for (const name of ['digits', 'digits-graph']) {
  describe(`${name} in tfjs and the ONNX file of the same training`, () => {
    let models, samples, gradients;
    before(async () => {
      models = [
        await openTfjs(`${FIXTURES}${name}`, { tf, bounds: BOUNDS }),
        await onnx.open(`${FIXTURES}digits.onnx`, { bounds: BOUNDS }),
      ];
      const { shape } = models[0].input;
      const options = { x: 'x', y: 'y' };
      const data = await npz.open(`${ROOT}fixtures/digits/test500.npz`, { bounds: BOUNDS, shape, options });
      samples = await data.batch(0, SAMPLES);
      const loss = crossEntropy(goalOf(samples.y));
      gradients = await Promise.all(models.map((model) => model.gradient(samples.x, loss)));
    });
    after(() => Promise.all(models.map((model) => model.close())));

    it('have one gradient, within 1e-4', () => {
      const [found, wanted] = gradients.map(({ gradient }) => gradient);
      for (let i = 0; i < SAMPLES; i++)
        assert.ok(relative(row(found, i), row(wanted, i)) < 1e-4, `sample ${i}`);
    });

    it('have one FGSM, on every pixel whose gradient is not zero', async () => {
      const [found, wanted] = await Promise.all(models.map((model) => attacked(fgsm, model, samples, 0.1)));
      assert.equal(found.broken, wanted.broken);
      assert.ok(wanted.broken > SAMPLES / 4);
      const [, { gradient }] = gradients;
      for (let i = 0; i < rows(samples.x); i++) {
        const least = 1e-6 * Math.max(...row(gradient, i).map(Math.abs));
        const pixels = [...row(gradient, i).keys()].filter((j) => Math.abs(row(gradient, i)[j]) > least);
        const wrong = pixels.filter((j) => row(found.points, i)[j] !== row(wanted.points, i)[j]);
        assert.deepEqual(wrong, [], `sample ${i}`);
      }
    });

    for (const epsilon of [0.03, 0.05, 0.08]) {
      it(`have one robust accuracy under PGD at ${epsilon}, within one sample`, async () => {
        const [found, wanted] = await Promise.all(
          models.map((model) => attacked(pgd, model, samples, epsilon)),
        );
        assert.ok(Math.abs(found.broken - wanted.broken) <= 1, `${found.broken} and ${wanted.broken} broken`);
        assert.ok(wanted.broken > 10 && wanted.broken < SAMPLES);
      });
    }

    it('leave no tensor behind', async () => {
      const before = tf.memory().numTensors;
      const model = await openTfjs(`${FIXTURES}${name}`, { tf, bounds: BOUNDS });
      const open = tf.memory().numTensors;
      await attacked(pgd, model, samples, 0.05);
      assert.equal(tf.memory().numTensors, open);
      await model.close();
      assert.equal(tf.memory().numTensors, before);
    });
  });
}

it('trains as ONNX Runtime does', async () => {
  const options = { x: 'x', y: 'y' };
  const data = await npz.open(`${ROOT}fixtures/digits/test500.npz`, {
    bounds: BOUNDS,
    shape: [28, 28, 1],
    options,
  });
  const { x, y } = await data.batch(0, 50);
  const path = `${FIXTURES}digits/model.json`;
  const settings = { bounds: BOUNDS, optimiser: { kind: 'sgd', rate: 0.1, momentum: 0.9 } };
  const models = [await adapter.train(path, { ...settings, tf }), await onnx.train(path, settings)];
  for (let step = 0; step < 5; step++) {
    const [found, wanted] = await Promise.all(
      models.map((model) => model.update(x, crossEntropy(goalOf(y)))),
    );
    assert.ok(relative(found.scores.data, wanted.scores.data) < 1e-4, `step ${step}`);
  }
  await Promise.all(models.map((model) => model.close()));
});

it('finds a gradient that the addon gets wrong, and names its layer', async () => {
  class Mirror extends tf.layers.Layer {
    static className = 'Mirror';
    computeOutputShape([n, h, w, c]) {
      return [n, h + 2, w + 2, c];
    }
    call(inputs) {
      return tf.mirrorPad([inputs].flat()[0], [[0, 0], [1, 1], [1, 1], [0, 0]], 'reflect'); // prettier-ignore
    }
  }
  const { layers } = tf;
  const model = tf.sequential({
    layers: [
      new Mirror({ name: 'mirror', inputShape: [6, 6, 1] }),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ],
  });
  const notices = [];
  const opened = await openTfjs(model, { tf, bounds: BOUNDS, onNotice: (notice) => notices.push(notice) });
  assert.equal(opened.access, 'scores');
  assert.match(notices[0], /on the backend tensorflow is wrong at layer "mirror" \(Mirror\)\.$/);
});
