import type { Expansion, Site } from '../rule.js';
import type { Value } from '../value.js';

/** -log p[target] for log-probabilities [N, C, ...], weighted by class; what has the ignored target counts nothing. */
function negativeLogLikelihood({ x, has, attr, ops, refuse }: Site, logs: Value): Value {
  const { mul, div, neg, where, not, equal, cast, squeeze, unsqueeze, emit } = ops;
  const target = cast(x(1), 'int64');
  const valid = attr.has('ignore_index')
    ? not(equal(target, ops.int(attr.int('ignore_index', 0))))
    : undefined;
  const known = valid ? emit('Where', [valid, target, ops.int(0)]) : target;
  const picked = squeeze(emit('GatherElements', [logs, unsqueeze(known, [1])], { axis: 1 }), [1]);
  const byClass = has(2) ? emit('Gather', [x(2), known]) : undefined;
  const weight =
    byClass && valid ? where(valid, byClass, 0) : (byClass ?? (valid && cast(valid, logs.dtype)));
  const losses = neg(weight ? mul(picked, weight) : picked);
  const total = (value: Value) => ops.sum(value, [...value.dims.keys()], false);
  switch (attr.string('reduction', 'mean')) {
    case 'none':
      return losses;
    case 'sum':
      return total(losses);
    case 'mean':
      return weight ? div(total(losses), total(weight)) : ops.mean(losses, [...losses.dims.keys()], false);
    default:
      return refuse(`reduction "${attr.string('reduction', '')}"`);
  }
}

const softmaxCrossEntropy: Expansion = (site) => {
  const logs = site.ops.emit('LogSoftmax', [site.x(0)], { axis: 1 });
  return [negativeLogLikelihood(site, logs), logs];
};

/** Losses that a graph may hold, written out. */
export const losses: Readonly<Record<string, Expansion>> = {
  NegativeLogLikelihoodLoss: (site) => [negativeLogLikelihood(site, site.x(0))],
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
};
