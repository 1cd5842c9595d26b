import fgsm from '@gauntlet/attack-fgsm';
import pgd from '@gauntlet/attack-pgd';
import { type DetectorJob, type Evasion, maximise, parseOptions, thresholdFor } from '@gauntlet/core';
import squeezing from '@gauntlet/detector-feature-squeezing';
import { rows, stream, take, type Tensor } from '@gauntlet/tensor';
import { open, type Subject } from './subject.js';

/** On so many digits the threshold is fitted. */
const FITTED = 200;

describe('feature squeezing on the standard digit model', () => {
  let subject: Subject;
  beforeAll(async () => {
    subject = await open('examples/digits/digits.onnx', 'fixtures/digits/test500.npz', {}, 300);
  });
  afterAll(() => subject.model.close());

  const squeezed = (x: Tensor): Promise<Float32Array> => {
    const job: DetectorJob = { model: subject.model, x, options: { bits: 1, window: 2 } };
    return squeezing.suspicion(job as DetectorJob<never, never>);
  };
  const random = (): typeof squeezed => {
    const draws = stream('suspicion');
    return async (x) => Float32Array.from({ length: rows(x) }, () => draws.uniform());
  };

  /** Of the attacked digits that are misclassified, and of clean ones, the share above what 5% of other, clean digits exceed. */
  async function detected(suspicion: typeof squeezed, attack: Evasion) {
    const { model, x, y, box } = subject;
    const threshold = thresholdFor(await suspicion(take(x, first(FITTED))), 0.05);
    const own = first(300).slice(FITTED);
    const classes = Int32Array.from(own, (i) => y[i]!);
    const clean = take(x, own);
    const moved = await maximise({
      ...{ attack, options: await parseOptions(attack.options, {}, attack.id), model, x: clean, ids: own },
      ...{ goal: { kind: 'untargeted', classes, confidence: 0 }, norm: 'linf', epsilon: 0.3, box, seed: 0 },
      signal: new AbortController().signal,
    });
    const wrong = [...(await model.labels(moved)).entries()].flatMap(([i, label]) =>
      label === classes[i] ? [] : [i],
    );
    const above = (found: Float32Array, places: readonly number[]) =>
      places.filter((i) => found[i]! > threshold).length / places.length;
    return {
      attacked: above(await suspicion(moved), wrong),
      clean: above(await suspicion(clean), [...own.keys()]),
    };
  }

  it.each([fgsm, pgd])('detects digits of $id, which does not know of it', async (attack) => {
    const found = await detected(squeezed, attack);
    expect(found.attacked).toBeGreaterThan(0.9);
    expect(found.clean).toBeLessThan(0.12);
    expect((await detected(random(), attack)).attacked).toBeLessThan(0.2);
  });
});

const first = (n: number) => Array.from({ length: n }, (_, i) => i);
