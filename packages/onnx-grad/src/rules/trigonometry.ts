import type { Rules } from '../rule.js';

/** Trigonometric and hyperbolic functions; 1 - x^2 as (1 - x)(1 + x), which keeps its digits near 1. */
export const trigonometry: Rules = {
  Sin: ({ x, g, ops: { mul, cos } }) => [() => mul(g, cos(x(0)))],
  Cos: ({ x, g, ops: { mul, neg, sin } }) => [() => neg(mul(g, sin(x(0))))],
  Tan: ({ y, g, ops: { mul, add, square } }) => [() => mul(g, add(square(y()), 1))],
  Asin: ({ x, g, ops: { div, mul, add, sub, sqrt } }) => [
    () => div(g, sqrt(mul(sub(1, x(0)), add(1, x(0))))),
  ],
  Acos: ({ x, g, ops: { div, mul, add, sub, sqrt, neg } }) => [
    () => neg(div(g, sqrt(mul(sub(1, x(0)), add(1, x(0)))))),
  ],
  Atan: ({ x, g, ops: { div, add, square } }) => [() => div(g, add(square(x(0)), 1))],
  Sinh: ({ x, g, ops: { mul, emit } }) => [() => mul(g, emit('Cosh', [x(0)]))],
  Cosh: ({ x, g, ops: { mul, emit } }) => [() => mul(g, emit('Sinh', [x(0)]))],
  Asinh: ({ x, g, ops: { div, add, square, sqrt } }) => [() => div(g, sqrt(add(square(x(0)), 1)))],
  Acosh: ({ x, g, ops: { div, mul, add, sub, sqrt } }) => [
    () => div(g, sqrt(mul(sub(x(0), 1), add(x(0), 1)))),
  ],
  Atanh: ({ x, g, ops: { div, mul, add, sub } }) => [() => div(g, mul(sub(1, x(0)), add(1, x(0))))],
};
