import type { Loss, Term } from '@gauntlet/core';
import type { GradSaveFunc, Tensor, Tensor2D } from '@tensorflow/tfjs';
import type { Tf } from './runtime.js';

/** Where scores that are left out of a sum are put: below all others, and finite, so that it never makes a NaN. */
const LOWEST = -3e38;

/**
 * The loss of scores [n, classes], [n], in ops of tfjs whose derivatives keep their precision where a softmax saturates. To be called
 * within `tf.tidy`. Classes are looked up on the host: the ops that find them have no gradient in tfjs.
 */
export function compileLoss(tf: Tf, scores: Tensor2D, { term, classes, given, targets = {} }: Loss): Tensor {
  const [count, width] = scores.shape;
  const host = scores.dataSync<'float32'>();

  /** The score of one class per point. */
  const at = (chosen: Int32Array): Tensor => tf.sum(tf.mul(maskOf(chosen), scores), 1);
  const maskOf = (chosen: Int32Array): Tensor => tf.oneHot(tf.tensor1d(chosen, 'int32'), width);
  const perPoint = (choose: (own: Float32Array, point: number) => number) =>
    Int32Array.from({ length: count }, (_, i) => choose(host.subarray(i * width, (i + 1) * width), i));
  const others = (name: string): Tensor =>
    tf.where(tf.cast(maskOf(classes[name]!), 'bool'), tf.fill([count, width], LOWEST), scores);

  /** log(sum(exp(x))) along the classes, whose derivative is the softmax itself: not a difference of large numbers. */
  const logSumExp = tf.customGrad((x, save) => {
    const value = tf.logSumExp(x as Tensor, 1, true);
    (save as GradSaveFunc)([x as Tensor, value]);
    return {
      value: tf.squeeze(value, [1]),
      gradFunc: (upstream: Tensor, saved: Tensor[]) =>
        tf.mul(tf.expandDims(upstream, 1), tf.exp(tf.sub(saved[0]!, saved[1]!))),
    };
  });

  const compile = (of: Term): Tensor => {
    switch (of.op) {
      case 'pick':
        return at(classes[of.class]!);
      case 'maxOther': {
        const own = classes[of.class]!;
        return at(perPoint((values, i) => ranking(values).find((k) => k !== own[i])!));
      }
      case 'logSumExpOther':
        return logSumExp(others(of.class));
      case 'ranked':
        return at(perPoint((values) => ranking(values)[of.place]!));
      case 'softCrossEntropy': {
        const target = targets[of.target]!;
        const logs = tf.logSoftmax(tf.div(scores, of.temperature));
        return tf.neg(tf.sum(tf.mul(tf.tensor2d(target.data, [count, width]), logs), 1));
      }
      case 'weighted': {
        const { data } = targets[of.target]!;
        return tf.sum(tf.mul(tf.tensor2d(data, [count, width]), scores), 1);
      }
      case 'given':
        return tf.tensor1d(given[of.name]!);
      case 'constant':
        return tf.fill([count], of.value);
      case 'softplus':
        return tf.softplus(compile(of.of));
      case 'relu':
        return tf.relu(compile(of.of));
      case 'neg':
        return tf.neg(compile(of.of));
      default:
        return tf[of.op](compile(of.of[0]), compile(of.of[1]));
    }
  };
  return compile(term);
}

/** Classes from the largest score down; the first of equals comes first. */
const ranking = (scores: Float32Array): number[] =>
  [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b);
