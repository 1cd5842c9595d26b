import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Graph, placeOf } from '@gauntlet/onnx';
import { createSession, loadRuntime } from './runtime.js';
import { isLarge, withWeightsOutside } from './weights.js';

/** y = x w + b, with size by size weights. */
function linear(size: number) {
  const graph = Graph.empty(13);
  const x = graph.input('x', 'float32', [1, size]);
  const data = (count: number) => new Float32Array(count).map((_, i) => (i % 7) / 7);
  const w = graph.constant({ dtype: 'float32', dims: [size, size], data: data(size * size) }, 'w');
  const b = graph.constant({ dtype: 'float32', dims: [4, 1], data: data(4) }, 'b');
  const y = graph.node('Add', [graph.node('MatMul', [x, w]), b]);
  graph.output(y, 'float32', [4, size]);
  return { model: graph.model, y };
}

describe('weights outside', () => {
  it('lie in a file for as long as the work takes, large ones only', async () => {
    const { model } = linear(20);
    const [w, b] = model.graph!.initializer;
    let folder = '';
    await withWeightsOutside(model, (bytes, at) => {
      folder = at;
      expect(bytes.length).toBeLessThan(1000);
      expect(readFileSync(join(at, 'weights.bin')).equals(w!.rawData)).toBe(true);
      return Promise.resolve();
    });
    expect(existsSync(folder)).toBe(false);
    expect(placeOf(w!)).toBeUndefined();
    expect([w, b].map((proto) => proto!.rawData.length)).toEqual([1600, 16]);
    await expect(
      withWeightsOutside(model, (_, at) => {
        folder = at;
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(existsSync(folder)).toBe(false);
  });

  it.each([
    [100, false],
    [2048, true],
  ])('are taken by sessions of %i by that many: %s', async (size, large) => {
    const { model, y } = linear(size);
    expect(isLarge(model)).toBe(large);
    const { Tensor } = await loadRuntime();
    const session = await createSession(model, 'linear');
    const { [y]: found } = await session.run(
      { x: new Tensor('float32', new Float32Array(size).fill(1), [1, size]) },
      [y],
    );
    await session.release();
    const first = Array.from({ length: size }, (_, i) => ((size * i) % 7) / 7).reduce((a, b) => a + b, 0);
    expect((found!.data as Float32Array)[0]).toBeCloseTo(first, 2);
  });
});
