import { argmax, distance, norm, put, stream, take, tensor } from './index.js';

describe('tensor', () => {
  const t = tensor(Float32Array.of(1, 5, 3, 4, 2, 6), [3, 2]);

  it('refuses a shape that does not fit', () => {
    expect(() => tensor(new Float32Array(5), [2, 3])).toThrow(
      'Unexpected 5 numbers for shape [2,3], expected 6.',
    );
  });

  it('takes and puts rows', () => {
    const picked = take(t, [2, 0]);
    expect([...picked.data]).toEqual([2, 6, 1, 5]);
    expect([...put(t, [0, 1], picked).data]).toEqual([2, 6, 1, 5, 2, 6]);
  });

  it.each([
    [[1, 5, 3], 1],
    [[7, 7, 7], 0],
    [[NaN, 1, 2], -1],
    [[1, NaN, 0], -1],
    [[NaN, NaN, NaN], -1],
    [[-Infinity, 1, Infinity], 2],
  ])('argmax of %p is %p', (values, expected) => {
    expect(argmax(tensor(Float32Array.from(values), [1, 3]))[0]).toBe(expected);
  });
});

describe('norm', () => {
  it.each([
    ['l0', 2],
    ['l1', 7],
    ['l2', 5],
    ['linf', 4],
  ] as const)('%s', (kind, expected) => {
    expect(norm([3, 0, -4], kind)).toBe(expected);
    expect(distance([4, 1, 1], [1, 1, 5], kind)).toBe(expected);
  });
});

describe('stream', () => {
  const draw = (...keys: (string | number)[]) => {
    const s = stream(...keys);
    return Array.from({ length: 1000 }, () => s.normal());
  };

  it('depends on its keys and on nothing else', () => {
    expect(draw(0, 'a', 1)).toEqual(draw(0, 'a', 1));
    expect(draw(0, 'a', 1)).not.toEqual(draw(0, 'a', 2));
    expect(draw(1, 23)).not.toEqual(draw(12, 3));
  });

  it('is standard normal', () => {
    const xs = draw('n');
    const mean = xs.reduce((a, b) => a + b) / xs.length;
    const variance = xs.reduce((a, b) => a + (b - mean) ** 2, 0) / xs.length;
    expect(Math.abs(mean)).toBeLessThan(0.1);
    expect(Math.abs(variance - 1)).toBeLessThan(0.15);
  });

  it('draws integers below n', () => {
    const s = stream('i');
    expect(new Set(Array.from({ length: 200 }, () => s.integer(4)))).toEqual(new Set([0, 1, 2, 3]));
  });
});
