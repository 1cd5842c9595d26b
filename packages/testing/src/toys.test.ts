import { logOdds } from '@gauntlet/kit';
import { ball, NORMS } from '@gauntlet/tensor';
import { linearToy } from './index.js';

it.each(NORMS)('the distances of the linear toy are exact in %s', async (norm) => {
  const { model, x, y, box, distance } = linearToy();
  const { gradient } = await model.gradient(x, logOdds({ kind: 'untargeted', classes: y, confidence: 0 }));
  const wrongAt = async (epsilon: number, i: number) => {
    const moved = ball({ norm, epsilon, centre: x, box }).step(x, gradient, 1);
    return (await model.labels(moved))[i] !== y[i];
  };
  for (const i of y.keys()) {
    const far = distance(i, norm);
    // Where the box does not bind: every sample is 0.3 from its edges.
    if (norm !== 'l0' && far > 0.3) continue;
    const short = norm === 'l0' ? far - 1 : far * 0.999;
    expect(await wrongAt(short, i)).toBe(false);
    expect(await wrongAt(norm === 'l0' ? far : far * 1.001, i)).toBe(true);
  }
});
