import type { Graph, TensorType } from '@gauntlet/onnx';
import { differentiate, type Lowering } from '@gauntlet/onnx-grad';

/** How weights are moved against their gradient. */
export type Optimiser =
  | { readonly kind: 'adam'; readonly rate: number }
  | { readonly kind: 'sgd'; readonly rate: number; readonly momentum: number };

/** A tensor that goes into a run and comes out of it changed. */
export interface Carried {
  readonly input: string;
  readonly output: string;
  readonly dims: readonly number[];
}

/** What one run of a training graph takes and gives beside the samples and the loss. */
export interface Update {
  /** By the weight's name. */
  readonly weights: ReadonlyMap<string, Carried>;
  /** What the optimiser remembers, zeros at first, by names such as `m:conv1.weight`. */
  readonly memory: ReadonlyMap<string, Carried>;
  /** The numbers [] to feed in the given step, which counts from 1, by input. */
  numbers(step: number): ReadonlyMap<string, number>;
}

/** What is trained by which loss. */
export interface Training {
  /** A loss per sample, [N]: its mean is made small. */
  readonly loss: string;
  /** Inputs of the graph, float32 and of known shape: see `promote`. */
  readonly weights: readonly string[];
  readonly optimiser: Optimiser;
  /** Types of the graph's tensors; new ones are added. */
  readonly types: Map<string, TensorType>;
  readonly lowering?: Lowering;
}

/**
 * Appends backward pass and update to a forward graph, in place: one run then takes samples, weights and memory, and gives loss, new weights
 * and new memory. Throws the OnnxErrors of `differentiate`.
 */
export function appendUpdate(graph: Graph, { loss, weights, optimiser, types, lowering }: Training): Update {
  const mean = graph.node('ReduceMean', [loss], { keepdims: 0 });
  const gradients = differentiate(graph, {
    of: mean,
    wrt: weights,
    shapes: types,
    ...(lowering && { lowering }),
  });
  const carried = { weights: new Map<string, Carried>(), memory: new Map<string, Carried>() };
  const carry = (
    kind: keyof typeof carried,
    key: string,
    input: string,
    output: string,
    dims: readonly number[],
  ) => {
    graph.output(output, 'float32', dims);
    carried[kind].set(key, { input, output, dims });
  };
  const rule = optimiser.kind === 'adam' ? adam(graph, optimiser.rate) : descent(graph, optimiser);
  for (const [name, gradient] of gradients) {
    const dims = types.get(name)!.dims as readonly number[];
    const remembered = (kind: string) => graph.input(`${kind}:${name}`, 'float32', dims);
    const { weight, memory } = rule.move(name, gradient, remembered);
    carry('weights', name, name, weight, dims);
    for (const [kind, { input, output }] of Object.entries(memory))
      carry('memory', `${kind}:${name}`, input, output, dims);
  }
  return { ...carried, numbers: rule.numbers };
}

/** How one weight is moved: the names of its new value, and of what is remembered of it. */
interface Rule {
  move(
    weight: string,
    gradient: string,
    remembered: (kind: string) => string,
  ): {
    readonly weight: string;
    readonly memory: Readonly<Record<string, { readonly input: string; readonly output: string }>>;
  };
  numbers(step: number): ReadonlyMap<string, number>;
}

const DECAY = { m: 0.9, v: 0.999 };
const EPSILON = 1e-8;

/**
 * Adam (Kingma and Ba 2015, with the order of computation of section 2): m and v are moving averages of g and g^2, and with c = sqrt(1 - 0.999^t), w moves by
 * rate c / (1 - 0.9^t) * m / (sqrt(v) + c epsilon). What depends on t alone is computed on the host, in float64.
 */
function adam(graph: Graph, rate: number): Rule {
  const node = (op: string, ...inputs: string[]) => graph.node(op, inputs);
  const number = (value: number) => graph.scalar('float32', value);
  const [length, least] = ['rate', 'epsilon'].map((name) => graph.input(name, 'float32', [])) as [
    string,
    string,
  ];
  const average = (before: string, now: string, decay: number) =>
    node('Add', node('Mul', before, number(decay)), node('Mul', now, number(1 - decay)));
  return {
    move(weight, gradient, remembered) {
      const [m, v] = [remembered('m'), remembered('v')];
      const newM = average(m, gradient, DECAY.m);
      const newV = average(v, node('Mul', gradient, gradient), DECAY.v);
      const step = node('Div', newM, node('Add', node('Sqrt', newV), least));
      const moved = node('Sub', weight, node('Mul', step, length));
      return { weight: moved, memory: { m: { input: m, output: newM }, v: { input: v, output: newV } } };
    },
    numbers(step) {
      const correction = Math.sqrt(1 - DECAY.v ** step);
      return new Map([
        [length, (rate * correction) / (1 - DECAY.m ** step)],
        [least, correction * EPSILON],
      ]);
    },
  };
}

/** Descent with momentum, as PyTorch has it: b = momentum b + g, w = w - rate b. */
function descent(
  graph: Graph,
  { rate, momentum }: { readonly rate: number; readonly momentum: number },
): Rule {
  const node = (op: string, ...inputs: string[]) => graph.node(op, inputs);
  const length = graph.input('rate', 'float32', []);
  return {
    move(weight, gradient, remembered) {
      const b = remembered('b');
      const newB = node('Add', node('Mul', b, graph.scalar('float32', momentum)), gradient);
      return {
        weight: node('Sub', weight, node('Mul', newB, length)),
        memory: { b: { input: b, output: newB } },
      };
    },
    numbers: () => new Map([[length, rate]]),
  };
}
