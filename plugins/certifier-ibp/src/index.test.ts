import { ABSTAIN, type Certificate, type CertifierJob } from '@gauntlet/core';
import { IN_BALL, like, take, type Tensor } from '@gauntlet/tensor';
import { linearToy, testCertifier } from '@gauntlet/testing';
import ibp from './index.js';

testCertifier(ibp);

const { model, x, y, box, distance } = linearToy();
const certify = (epsilon: number, more: Partial<CertifierJob<never>> = {}): Promise<readonly Certificate[]> =>
  ibp.certificate.certify({
    ...{ model, x, answers: y, norm: 'linf', epsilon, box, options: {} as never, random: [] },
    ...{ signal: new AbortController().signal, ...more },
  });

it.each([0.002, 0.01, 0.03])('certifies on a linear model just what holds at %p', async (epsilon) => {
  const found = await certify(epsilon);
  const near = (i: number) => Math.abs(distance(i, 'linf') / epsilon - 1) < 0.01;
  const clear = [...y.keys()].filter((i) => !near(i));
  expect(clear.filter((i) => found[i]!.outcome === 'robust')).toEqual(
    clear.filter((i) => distance(i, 'linf') > epsilon),
  );
});

it('looks at the whole ball, with what counts as in it by rounding, cut by the box', async () => {
  const asked: Tensor[] = [];
  const looked = {
    ...model,
    leastLeads: (lower: Tensor, upper: Tensor, own: Int32Array) => {
      asked.push(lower, upper);
      return model.leastLeads!(lower, upper, own);
    },
  };
  const points = like(x, x.data.slice());
  points.data.set([0.04, 0.97]);
  await certify(0.05, { model: looked, x: points });
  const [lower, upper] = asked as [Tensor, Tensor];
  const reach = 0.05 * (1 + IN_BALL.relative) + IN_BALL.absolute;
  points.data.forEach((value, i) => {
    expect(lower.data[i]).toBeLessThanOrEqual(Math.max(0, value - reach));
    expect(upper.data[i]).toBeGreaterThanOrEqual(Math.min(1, value + reach));
    expect(upper.data[i]! - lower.data[i]!).toBeLessThan(2 * reach + 1e-6);
  });
  expect([lower.data[0], upper.data[1]]).toEqual([0, 1]);
});

it('knows nothing about a model that abstains', async () => {
  expect(await certify(0.001, { x: take(x, [0]), answers: Int32Array.of(ABSTAIN) })).toEqual([
    { outcome: 'unknown', why: 'it abstains' },
  ]);
});

it('says which models it cannot certify', async () => {
  const plain = { ...model };
  delete plain.leastLeads;
  await expect(certify(0.1, { model: plain })).rejects.toThrow(
    'Unexpected model linear toy without bounds at certifier/ibp, expected one that bounds by how much a class leads. Certify the model by itself, from an ONNX file, without defences before it.',
  );
});
