import type { Interval } from '../arithmetic.js';
import type { Rule, Rules, Site } from '../rule.js';

/** A linear map of the one input that depends on the points. */
interface Linear {
  readonly x: Interval;
  /** How many products are summed for each number of the output. */
  readonly terms: number;
  /** The node itself, with its bias. */
  apply(x: string): string;
  /** The map with the absolute values of its weights, without bias. */
  spread(x: string): string;
  /** Absolute values of what is added, of a shape that the output takes. */
  readonly bias?: string;
}

/**
 * W [c - r, c + r] + b lies in (W c + b) +- |W| r (Gowal et al. 2018, equation 6). Two computed sums, W c + b and the model's own, each err by
 * gamma (|W| s + |b|) at most, where s bounds |x|: the radius is that much larger.
 */
function bounded({ arithmetic, refuse }: Site, { x, terms, apply, spread, bias }: Linear): Interval[] {
  const { add, mul, abs, number, middle, outward, rounding } = arithmetic;
  const { error, scale } = rounding(terms) ?? refuse(`sum of ${terms} products`);
  const { centre, radius, size } = middle(x);
  const wide = mul(add(radius, mul(size, number(error))), number(scale));
  const reach = spread(wide);
  const far = bias === undefined ? reach : add(reach, mul(abs(bias), number(error * scale)));
  return [outward(apply(centre), far)];
}

const product = (sizes: readonly (number | string)[]) =>
  sizes.reduce<number>((total, size) => total * Number(size), 1);

const onlyFirst = (site: Site) =>
  site.node.input.some((_, i) => i > 0 && site.has(i) && site.varies(i))
    ? site.refuse('weights that depend on the samples')
    : site.x(0);

const conv: Rule = (site) => {
  const { node, graph, arithmetic, type, has, again } = site;
  const x = onlyFirst(site);
  const [, w = '', b = ''] = node.input;
  const dims = type(1).dims;
  const channels = graph.ints([1, -1, ...dims.slice(2).map(() => 1)]);
  return bounded(site, {
    ...{ x, terms: product(dims.slice(1)) },
    apply: (at) => again([at, w, ...(has(2) ? [b] : [])])[0]!,
    spread: (at) => again([at, arithmetic.abs(w)])[0]!,
    ...(has(2) && { bias: graph.node('Reshape', [b, channels]) }),
  });
};

const gemm: Rule = (site) => {
  const { node, arithmetic, type, has, again, attr, refuse } = site;
  const x = onlyFirst(site);
  const plain = attr.float('alpha', 1) === 1 && attr.float('beta', 1) === 1 && attr.int('transA', 0) === 0;
  if (!plain) refuse('factor or transposed first input');
  const [, w = '', b = ''] = node.input;
  return bounded(site, {
    ...{ x, terms: Number(type(1).dims[attr.int('transB', 0) === 0 ? 0 : 1]) },
    apply: (at) => again([at, w, ...(has(2) ? [b] : [])])[0]!,
    spread: (at) => again([at, arithmetic.abs(w)])[0]!,
    ...(has(2) && { bias: b }),
  });
};

const matMul: Rule = (site) => {
  const { node, arithmetic, type, varies, again, x, refuse } = site;
  const [a = '', b = ''] = node.input;
  if (varies(0) && varies(1)) refuse('product of two tensors that depend on the samples');
  const left = varies(0);
  return bounded(site, {
    ...{ x: x(left ? 0 : 1), terms: Number(type(0).dims.at(-1)) },
    apply: (at) => again(left ? [at, b] : [a, at])[0]!,
    spread: (at) => again(left ? [at, arithmetic.abs(b)] : [arithmetic.abs(a), at])[0]!,
  });
};

/** A mean or a sum over so many numbers: its weights are not negative. */
const total =
  (terms: (site: Site) => number): Rule =>
  (site) => {
    const [, ...others] = site.node.input;
    const apply = (at: string) => site.again([at, ...others])[0]!;
    return bounded(site, { x: onlyFirst(site), terms: terms(site), apply, spread: apply });
  };

/** All numbers of a sample: no sum over axes of it takes more. */
const whole = (site: Site) => product(site.type(0).dims.filter((size) => typeof size === 'number'));

/** a x + (b - a mean) with a = scale / sqrt(var + epsilon), for each channel. */
const batchNormalization: Rule = (site) => {
  const { node, graph, arithmetic, attr, again, type, refuse } = site;
  const { mul, add, abs, number } = arithmetic;
  if (attr.int('training_mode', 0) !== 0) refuse('training mode');
  const x = onlyFirst(site);
  const [, scale = '', b = '', mean = '', variance = ''] = node.input;
  const channels = graph.ints([
    1,
    -1,
    ...type(0)
      .dims.slice(2)
      .map(() => 1),
  ]);
  const laid = (name: string) => graph.node('Reshape', [name, channels]);
  const root = graph.node('Sqrt', [add(variance, number(attr.float('epsilon', 1e-5)))]);
  const a = abs(graph.node('Div', [scale, root]));
  return bounded(site, {
    ...{ x, terms: 8 },
    apply: (at) => again([at, scale, b, mean, variance])[0]!,
    spread: (at) => mul(at, laid(a)),
    bias: laid(add(abs(b), mul(a, abs(mean)))),
  });
};

/** Ops that are linear in the one input that depends on the points. */
export const linear: Rules = {
  Conv: conv,
  Gemm: gemm,
  MatMul: matMul,
  BatchNormalization: batchNormalization,
  AveragePool: total((site) => product(site.attr.ints('kernel_shape', []))),
  GlobalAveragePool: total(whole),
  ReduceMean: total(whole),
  ReduceSum: total(whole),
};
