import type { Rule, Rules } from '../rule.js';

/**
 * Minimum and maximum: equal inputs share the gradient evenly, as torch.maximum has it. They are compared with each other: in float16 the
 * result may be rounded where they are not.
 */
const extreme =
  (compare: 'lessOrEqual' | 'greaterOrEqual'): Rule =>
  ({ node, x, g, ops: { [compare]: compared, and, cast, div, mul, emit } }) => {
    const others = (i: number) => [...node.input.keys()].filter((j) => j !== i);
    const share = () => {
      const masks = node.input.map((_, i) =>
        cast(
          others(i)
            .map((j) => compared(x(i), x(j)))
            .reduce(and),
          g.dtype,
        ),
      );
      return { masks, part: div(g, emit('Sum', masks)) };
    };
    let shared: ReturnType<typeof share> | undefined;
    return node.input.map((_, i) => () => {
      if (node.input.length === 1) return g;
      shared ??= share();
      return mul(shared.part, shared.masks[i]!);
    });
  };

/** Arithmetic, with operands that broadcast: every gradient comes in the output's shape. */
export const elementwise: Rules = {
  Add: ({ g }) => [() => g, () => g],
  Sub: ({ g, ops: { neg } }) => [() => g, () => neg(g)],
  Mul: ({ x, g, ops: { mul } }) => [() => mul(g, x(1)), () => mul(g, x(0))],
  Div: ({ x, y, g, ops: { div, mul, neg } }) => [() => div(g, x(1)), () => neg(div(mul(g, y()), x(1)))],
  Neg: ({ g, ops: { neg } }) => [() => neg(g)],
  Abs: ({ x, g, ops: { mul, sign } }) => [() => mul(g, sign(x(0)))],
  Reciprocal: ({ y, g, ops: { mul, neg, square } }) => [() => neg(mul(g, square(y())))],
  Sqrt: ({ y, g, ops: { mul, div } }) => [() => div(mul(g, 0.5), y())],
  Exp: ({ y, g, ops: { mul } }) => [() => mul(g, y())],
  Log: ({ x, g, ops: { div } }) => [() => div(g, x(0))],
  Pow: ({ x, y, g, ops: { mul, pow, sub, where, equal, log, cast } }) => {
    const base = x(0);
    const exponent = () => cast(x(1), base.dtype);
    return [
      // A power of 0 is constant, also at 0 where a^(b - 1) is infinite.
      () => where(equal(exponent(), 0), 0, mul(g, mul(exponent(), pow(base, sub(exponent(), 1))))),
      () => where(equal(base, 0), 0, mul(g, mul(y(), log(base)))),
    ];
  },
  // a - b * trunc(a / b); the integer form is cut by its type.
  Mod: ({ x, g, ops: { mul, neg, div, sign, abs, emit } }) => [
    () => g,
    () => {
      const ratio = div(x(0), x(1));
      return neg(mul(g, mul(sign(ratio), emit('Floor', [abs(ratio)]))));
    },
  ],
  Min: extreme('lessOrEqual'),
  Max: extreme('greaterOrEqual'),
  Sum: ({ node, g }) => node.input.map(() => () => g),
  Mean: ({ node, g, ops: { mul } }) => node.input.map(() => () => mul(g, 1 / node.input.length)),
  // start + i delta; where it ends only says how many there are.
  Range: ({ x, y, g, ops: { sum, mul, sub, div } }) => [
    () => sum(g, [0], false),
    'none',
    () => div(sum(mul(g, sub(y(), x(0))), [0], false), x(2)),
  ],
  Where: ({ x, g, ops: { where } }) => [undefined, () => where(x(0), g, 0), () => where(x(0), 0, g)],
};
