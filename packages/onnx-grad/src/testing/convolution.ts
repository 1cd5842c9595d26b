import type { NodeProto } from '@gauntlet/onnx';
import { attributesOf } from '@gauntlet/onnx';

import type { Feeds } from './run.js';

/** Numbers in float64 with their shape. */
interface Dense {
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

const product = (sizes: readonly number[]) => sizes.reduce((total, size) => total * size, 1);

/** Every position of a grid, first axis slowest. */
function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((at) => Array.from({ length: size }, (_, i) => [...at, i])),
    [[]],
  );
}

/**
 * The result of a Conv or ConvTranspose node in float64, straight from the definition: the small tensor of the two sees the
 * large one through windows. feeds gives the shapes, at the numbers, output the sizes that the result is known to have.
 */
export function convolve(
  node: NodeProto,
  feeds: Feeds,
  at: ReadonlyMap<string, readonly number[]>,
  output: readonly number[],
): number[] {
  const attr = attributesOf(node);
  const transposed = node.opType === 'ConvTranspose';
  const [x, w, b] = node.input.map((name) => ({
    dims: feeds.get(name)?.dims ?? [],
    data: at.get(name) ?? [],
  })) as [Dense, Dense, Dense?];
  const kernel = w.dims.slice(2);
  const ones = kernel.map(() => 1);
  const [strides, dilations, group] = [
    attr.ints('strides', ones),
    attr.ints('dilations', ones),
    attr.int('group', 1),
  ];
  const [large, small] = transposed ? [output, x.dims] : [x.dims, output];
  const more = attr.ints(
    'output_padding',
    kernel.map(() => 0),
  );
  const automatic = attr.string('auto_pad', 'NOTSET');
  const begins = kernel.map((size, i) => {
    const given = automatic === 'NOTSET' && !attr.has('output_shape');
    if (given || automatic === 'VALID') return given ? (attr.ints('pads', [])[i] ?? 0) : 0;
    const reach = (size - 1) * dilations[i]! + 1;
    const total = Math.max(0, (small[i + 2]! - 1) * strides[i]! + reach + more[i]! - large[i + 2]!);
    const upper = automatic === 'SAME_UPPER';
    return upper ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
  // Channels of one group on either side, and the strides of the kernel's first two axes.
  const [inner, outer] = [large[1]! / group, small[1]! / group];
  const y = new Array<number>(product(output)).fill(0);
  const flat = (at: readonly number[], sizes: readonly number[]) =>
    at.reduce((index, i, axis) => index * sizes[axis]! + i, 0);
  const taps = positions(kernel);
  for (const [n, s, ...spot] of positions(small)) {
    const g = Math.floor(s! / outer);
    for (const [k, tap] of taps.entries()) {
      const place = spot.map((i, axis) => i * strides[axis]! - begins[axis]! + tap[axis]! * dilations[axis]!);
      if (place.some((i, axis) => i < 0 || i >= large[axis + 2]!)) continue;
      for (let c = 0; c < inner; c++) {
        const weight = w.data[(s! * inner + c) * taps.length + k]!;
        const big = flat([n!, g * inner + c, ...place], large);
        const little = flat([n!, s!, ...spot], small);
        if (transposed) y[big]! += x.data[little]! * weight;
        else y[little]! += x.data[big]! * weight;
      }
    }
  }
  const each = product(output.slice(2));
  return y.map((value, i) => value + (b?.data[Math.floor(i / each) % output[1]!] ?? 0));
}
