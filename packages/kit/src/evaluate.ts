import { checkLoss, type Loss, type Term } from '@gauntlet/core';
import { like, row, rows, rowSize, type Tensor } from '@gauntlet/tensor';

/** A loss's values [n] and its derivative by the scores, [n, classes]. */
export interface EvaluatedLoss {
  readonly loss: Float32Array;
  readonly scoresGradient: Tensor;
}

/**
 * Evaluates a loss on scores [n, classes], in float64, on the host: for models that compose others, and as the oracle of the
 * adapters' compiled losses. The loss has one value of each class and number that it names per row.
 */
export function evaluateLoss(loss: Loss, scores: Tensor): EvaluatedLoss {
  checkLoss(loss, rows(scores), rowSize(scores));
  const values = new Float32Array(rows(scores));
  const gradient = like(scores);
  for (let i = 0; i < values.length; i++) {
    const own = Array.from(row(scores, i));
    const into = new Float64Array(own.length);
    const context: Context = {
      scores: own,
      classOf: (name) => loss.classes[name]![i]!,
      given: (name) => loss.given[name]![i]!,
      target: (name) => row(loss.targets![name]!, i),
    };
    const result = evaluate(loss.term, context);
    values[i] = result.value;
    result.pull(1, into);
    row(gradient, i).set(into);
  }
  return { loss: values, scoresGradient: gradient };
}

interface Context {
  readonly scores: readonly number[];
  classOf(name: string): number;
  given(name: string): number;
  target(name: string): Float32Array;
}

/** A value, and how a derivative by it becomes derivatives by the scores (added to `into`). */
interface Evaluated {
  readonly value: number;
  pull(upstream: number, into: Float64Array): void;
}

const score = (scores: readonly number[], at: number): Evaluated => ({
  value: scores[at]!,
  pull: (upstream, into) => void (into[at]! += upstream),
});

const constant = (value: number): Evaluated => ({ value, pull: () => undefined });

const chain = (of: Evaluated, value: number, slope: number): Evaluated => ({
  value,
  pull: (upstream, into) => of.pull(upstream * slope, into),
});

const combine = (
  a: Evaluated,
  b: Evaluated,
  value: number,
  slopes: readonly [number, number],
): Evaluated => ({
  value,
  pull: (upstream, into) => {
    a.pull(upstream * slopes[0], into);
    b.pull(upstream * slopes[1], into);
  },
});

/** Places of the scores from the largest down; the first of equals comes first. */
const ranking = (scores: readonly number[]) =>
  [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b);

function evaluate(term: Term, context: Context): Evaluated {
  const { scores } = context;
  switch (term.op) {
    case 'weighted':
      return weighted(scores, context.target(term.target));
    case 'pick':
      return score(scores, context.classOf(term.class));
    case 'maxOther':
      return score(
        scores,
        ranking(scores).find((j) => j !== context.classOf(term.class))!,
      );
    case 'logSumExpOther':
      return logSumExpOther(scores, context.classOf(term.class));
    case 'ranked':
      return score(scores, ranking(scores)[term.place]!);
    case 'softCrossEntropy':
      return softCrossEntropy(scores, context.target(term.target), term.temperature);
    case 'given':
      return constant(context.given(term.name));
    case 'constant':
      return constant(term.value);
    case 'softplus': {
      const of = evaluate(term.of, context);
      const small = Math.exp(-Math.abs(of.value));
      return chain(of, Math.max(of.value, 0) + Math.log1p(small), (of.value > 0 ? 1 : small) / (1 + small));
    }
    case 'relu': {
      const of = evaluate(term.of, context);
      return chain(of, Math.max(of.value, 0), of.value > 0 ? 1 : 0);
    }
    case 'neg': {
      const of = evaluate(term.of, context);
      return chain(of, -of.value, -1);
    }
    default:
      return arithmetic(term.op, evaluate(term.of[0], context), evaluate(term.of[1], context));
  }
}

function arithmetic(op: 'add' | 'sub' | 'mul' | 'div', a: Evaluated, b: Evaluated): Evaluated {
  switch (op) {
    case 'add':
      return combine(a, b, a.value + b.value, [1, 1]);
    case 'sub':
      return combine(a, b, a.value - b.value, [1, -1]);
    case 'mul':
      return combine(a, b, a.value * b.value, [b.value, a.value]);
    case 'div':
      return combine(a, b, a.value / b.value, [1 / b.value, -a.value / b.value ** 2]);
  }
}

const weighted = (scores: readonly number[], weights: Float32Array): Evaluated => ({
  value: scores.reduce((sum, value, j) => sum + weights[j]! * value, 0),
  pull: (upstream, into) => weights.forEach((weight, j) => (into[j]! += upstream * weight)),
});

function logSumExpOther(scores: readonly number[], own: number): Evaluated {
  const top = Math.max(...scores.filter((_, j) => j !== own));
  const parts = scores.map((value, j) => (j === own ? 0 : Math.exp(value - top)));
  const sum = parts.reduce((a, b) => a + b, 0);
  return {
    value: top + Math.log(sum),
    pull: (upstream, into) => parts.forEach((part, j) => (into[j]! += (upstream * part) / sum)),
  };
}

function softCrossEntropy(scores: readonly number[], target: Float32Array, temperature: number): Evaluated {
  const top = Math.max(...scores);
  const parts = scores.map((value) => Math.exp((value - top) / temperature));
  const sum = parts.reduce((a, b) => a + b, 0);
  const mass = target.reduce((a, b) => a + b, 0);
  const logs = scores.map((value) => (value - top) / temperature - Math.log(sum));
  return {
    value: -logs.reduce((total, log, j) => total + target[j]! * log, 0),
    pull: (upstream, into) =>
      parts.forEach((part, j) => (into[j]! += (upstream * ((mass * part) / sum - target[j]!)) / temperature)),
  };
}
