import type { Term } from '@gauntlet/core';
import { type Dim, type Graph, type TensorType, writeValueInfo } from '@gauntlet/onnx';

/** A loss term in a graph: the tensor [N] that holds it, and the inputs for its per-sample values. */
export interface CompiledLoss {
  readonly loss: string;
  /** Names of the int64 inputs [N] by the names in the term. */
  readonly classes: ReadonlyMap<string, string>;
  /** Names of the float32 inputs [N] by the names in the term. */
  readonly given: ReadonlyMap<string, string>;
  /** Names of the float32 inputs [N, classes] by the names in the term. */
  readonly targets: ReadonlyMap<string, string>;
}

/** Where scores that are left out of a maximum are put: below all others, and finite, so that it never makes a NaN. */
const LOWEST = -3e38;

/** Appends a loss of `scores` [N, classes] to a graph, in ops whose derivatives keep their precision where a softmax saturates. */
export function compileLoss(
  graph: Graph,
  scores: { name: string; batch: Dim; classes: number },
  term: Term,
  types: Map<string, TensorType>,
): CompiledLoss {
  const inputs = {
    classes: new Map<string, string>(),
    given: new Map<string, string>(),
    targets: new Map<string, string>(),
  };
  const node = (op: string, ...names: string[]) => graph.node(op, names);
  const number = (value: number) => graph.scalar('float32', value);
  const axis = () => graph.ints([1]);
  const reduce = (op: string, name: string) => graph.node(op, [name, axis()], { keepdims: 0 });

  const input = (kind: keyof typeof inputs, name: string): string => {
    const known = inputs[kind].get(name);
    if (known !== undefined) return known;
    const dtype = kind === 'classes' ? 'int64' : 'float32';
    const fresh = graph.unique(`${kind}_${name}`);
    const dims = kind === 'targets' ? [scores.batch, scores.classes] : [scores.batch];
    graph.proto.input.push(writeValueInfo(fresh, dtype, dims));
    types.set(fresh, { dtype, dims });
    inputs[kind].set(name, fresh);
    return fresh;
  };

  /** Where the class of each score is the sample's: [N, classes]. */
  const isPlace = (places: string) => {
    const range = Array.from({ length: scores.classes }, (_, k) => BigInt(k));
    const all = graph.constant({
      dtype: 'int64',
      dims: [1, scores.classes],
      data: BigInt64Array.from(range),
    });
    return node('Equal', places, all);
  };
  const masks = new Map<string, string>();
  const isClass = (name: string): string => {
    const known = masks.get(name);
    if (known !== undefined) return known;
    const mask = isPlace(node('Unsqueeze', input('classes', name), axis()));
    masks.set(name, mask);
    return mask;
  };
  const chosen = (mask: string) => reduce('ReduceSum', node('Where', mask, scores.name, number(0)));
  const others = (name: string) => node('Where', isClass(name), number(LOWEST), scores.name);

  /**
   * log(1 + exp(d)) = max(d, 0) + log1p(u) with u = exp(-|d|), and log1p(u) = log(w) - ((w - 1) - u) / w with w = 1 + u as rounded.
   * Its derivative is u / (1 + u) for d <= 0: never a difference of large numbers.
   */
  const softplus = (d: string) => {
    const positive = node('Greater', d, number(0));
    const u = node('Exp', node('Where', positive, node('Neg', d), d));
    const w = node('Add', number(1), u);
    const rest = node('Div', node('Sub', node('Sub', w, number(1)), u), w);
    return node('Add', node('Where', positive, d, number(0)), node('Sub', node('Log', w), rest));
  };

  /** The class at a place of the ranking carries the score, and so the gradient. */
  const ranked = (place: number) => {
    const [, order = ''] = graph.nodes('TopK', [scores.name, graph.ints([place + 1])], 2, { axis: 1 });
    const last = [place, place + 1, 1].map((bound) => graph.ints([bound])) as [string, string, string];
    return chosen(isPlace(node('Slice', order, ...last)));
  };

  const softCrossEntropy = (target: string, temperature: number) => {
    const logs = graph.node('LogSoftmax', [node('Div', scores.name, number(temperature))], { axis: 1 });
    return node('Neg', reduce('ReduceSum', node('Mul', input('targets', target), logs)));
  };

  const compile = (of: Term): string => {
    switch (of.op) {
      case 'pick':
        return chosen(isClass(of.class));
      case 'maxOther':
        return reduce('ReduceMax', others(of.class));
      case 'logSumExpOther':
        return reduce('ReduceLogSumExp', others(of.class));
      case 'ranked':
        return ranked(of.place);
      case 'softCrossEntropy':
        return softCrossEntropy(of.target, of.temperature);
      case 'weighted':
        return reduce('ReduceSum', node('Mul', input('targets', of.target), scores.name));
      case 'given':
        return input('given', of.name);
      case 'constant':
        return number(of.value);
      case 'softplus':
        return softplus(compile(of.of));
      case 'relu':
        return node('Relu', compile(of.of));
      case 'neg':
        return node('Neg', compile(of.of));
      case 'add':
        return node('Add', compile(of.of[0]), compile(of.of[1]));
      case 'sub':
        return node('Sub', compile(of.of[0]), compile(of.of[1]));
      case 'mul':
        return node('Mul', compile(of.of[0]), compile(of.of[1]));
      case 'div':
        return node('Div', compile(of.of[0]), compile(of.of[1]));
    }
  };
  return { loss: compile(term), ...inputs };
}
