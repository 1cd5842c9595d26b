import type { Interval } from '../arithmetic.js';
import type { Rule, Rules } from '../rule.js';

/** What rises with its first input, and rises or falls with its second; widened by one rounding. */
const corners =
  (second: (side: Interval) => Interval): Rule =>
  ({ node, graph, arithmetic, x }) => {
    const [a, b] = [x(0), second(x(1))];
    const at = (left: string, right: string) => graph.node(node.opType, [left, right]);
    return [arithmetic.widen({ lower: at(a.lower, b.lower), upper: at(a.upper, b.upper) })];
  };

/** A product or quotient by something that does not depend on the points: the order of the bounds follows its sign. */
const scaled: Rule = ({ node, graph, arithmetic, x, varies, refuse }) => {
  if (varies(0) && varies(1)) refuse(`${node.opType} of two tensors that depend on the samples`);
  if (varies(1) && node.opType === 'Div') refuse('divisor that depends on the samples');
  const at = (side: keyof Interval) => graph.node(node.opType, [x(0)[side], x(1)[side]]);
  const both = [at('lower'), at('upper')];
  const lower = graph.node('Min', both);
  return [arithmetic.widen({ lower, upper: graph.node('Max', both) })];
};

const turned = ({ lower, upper }: Interval): Interval => ({ lower: upper, upper: lower });

/** Arithmetic on each number by itself. */
export const elementwise: Rules = {
  Add: corners((b) => b),
  Sub: corners(turned),
  Mul: scaled,
  Div: scaled,
  Neg: ({ graph, x }) => [{ lower: graph.node('Neg', [x(0).upper]), upper: graph.node('Neg', [x(0).lower]) }],
};
