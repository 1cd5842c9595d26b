import { numbersOf } from '@gauntlet/onnx';
import type { Rule, Rules, Site } from '../rule.js';

/** What rises with its inputs and does not round: the bounds of its outputs are its outputs at the bounds. */
const exact: Rule = ({ node, x, again, has }) => {
  const at = (side: 'lower' | 'upper') => again(node.input.map((_, i) => (has(i) ? x(i)[side] : '')));
  const upper = at('upper');
  return at('lower').map((lower, i) => ({ lower, upper: upper[i]! }));
};

/** `exact`, where only the first input depends on the points. */
const first: Rule = (site) => {
  const other = site.node.input.findIndex((_, i) => i > 0 && site.has(i) && site.varies(i));
  return other < 0 ? exact(site) : site.refuse(`input ${other} that depends on the samples`);
};

/** `first`, for ops whose other outputs have no bounds. */
const values: Rule = (site) =>
  site.node.output.slice(1).some((name) => name !== '') ? site.refuse('second output') : first(site);

/** What rises and rounds, by this share of its result (and as much absolutely) at most; one rounding by default. */
const rising =
  (share = 0): Rule =>
  (site) =>
    first(site).map((bounds) => site.arithmetic.widen(bounds, share));

/** `rising` while an attribute is not negative. */
const risingWith =
  (attribute: string, fallback: number, share: number): Rule =>
  (site) =>
    site.attr.float(attribute, fallback) < 0 ? site.refuse(`negative ${attribute}`) : rising(share)(site);

/**
 * How far ONNX Runtime's own functions may be from the exact ones. They are polynomials that keep to 1e-6 or so (a test looks at them
 * over their whole range); this is several times as much.
 */
const APPROXIMATE = 2 ** -17;

const NAMES =
  'Identity Relu Flatten Reshape Squeeze Unsqueeze Transpose Slice Split Gather Expand Tile DepthToSpace SpaceToDepth Pad Clip';

/** Ops that hand numbers on, choose among them, or apply a function that does not fall to each. */
export const monotone: Rules = {
  ...Object.fromEntries(NAMES.split(' ').map((name) => [name, first])),
  ...{ Concat: exact, Max: exact, Min: exact, MaxPool: values, GlobalMaxPool: values },
  Dropout: (site) => (isTraining(site) ? site.refuse('training mode') : values(site)),
  LeakyRelu: risingWith('alpha', 0.01, 0),
  Elu: risingWith('alpha', 1, APPROXIMATE),
  HardSigmoid: risingWith('alpha', 0.2, APPROXIMATE),
  ...{ Sigmoid: rising(APPROXIMATE), Tanh: rising(APPROXIMATE), Softplus: rising(APPROXIMATE) },
};

const isTraining = (site: Site) => {
  if (!site.has(2)) return false;
  const mode = site.value(2);
  return mode === undefined || numbersOf(mode).some((value) => value !== 0);
};
