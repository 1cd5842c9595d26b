import { fail } from '@gauntlet/onnx';

import type { Expansion, Site } from '../rule.js';
import type { Value } from '../value.js';
import { fixed } from '../value.js';

/** Every step becomes a dozen nodes. */
const LONGEST_SEQUENCE = 4096;

/** What one kind of recurrent cell does in one step. */
interface Cell {
  /** Gates per hidden unit. */
  readonly gates: number;
  /** Default activations, one for each place in the equations. */
  readonly activations: readonly string[];
  /** New states from the input's part of the gates (biases included where they can be), and the old states. */
  step(parts: Step): Value[];
}

interface Step {
  readonly site: Site;
  /** [N, gates H] */
  readonly input: Value;
  /** h and, for LSTM, c, each [N, H]; nothing before the first step without initial states. */
  readonly states: readonly (Value | undefined)[];
  readonly hidden: number;
  /** [gates H, H] transposed to [H, gates H] */
  readonly recurrence: Value;
  /** [gates H]: the bias of the recurrence, where the cell keeps it apart. */
  readonly bias: Value | undefined;
  /** [3 H]: peepholes of LSTM. */
  readonly peepholes: Value | undefined;
  act(place: number, value: Value): Value;
}

const columns = ({ site: { ops }, hidden }: Step, value: Value, gate: number, count = 1): Value =>
  ops.slice(value, value.dims.length - 1, gate * hidden, (gate + count) * hidden);

const plus = ({ ops }: Site, a: Value, b: Value | undefined): Value => (b === undefined ? a : ops.add(a, b));

const recur = ({ site: { ops }, recurrence, states: [h] }: Step): Value | undefined =>
  h && ops.matMul(h, recurrence);

/** h = f(x W' + h R' + b) */
const rnn: Cell = {
  gates: 1,
  activations: ['Tanh'],
  step: (parts) => [parts.act(0, plus(parts.site, parts.input, recur(parts)))],
};

/** z, r = f(..); candidate n = g(..); h = (1 - z) n + z h */
const gru: Cell = {
  gates: 3,
  activations: ['Sigmoid', 'Tanh'],
  step(parts) {
    const { site, input, states, recurrence, bias, act } = parts;
    const { ops, attr } = site;
    const { add, sub, mul, matMul } = ops;
    const [h] = states;
    const from = (value: Value | undefined, gate: number, count = 1) =>
      value && columns(parts, value, gate, count);
    const product = (value: Value, gate: number, count = 1) =>
      matMul(value, columns(parts, recurrence, gate, count));
    const gates = act(0, plus(site, plus(site, from(input, 0, 2)!, from(bias, 0, 2)), h && product(h, 0, 2)));
    const [z, r] = [columns(parts, gates, 0), columns(parts, gates, 1)];
    const inner = from(input, 2)!;
    let candidate: Value;
    if (attr.int('linear_before_reset', 0) !== 0) {
      const linear = h === undefined ? from(bias, 2) : plus(site, product(h, 2), from(bias, 2));
      candidate = plus(site, inner, linear && mul(r, linear));
    } else candidate = plus(site, plus(site, inner, from(bias, 2)), h && product(mul(r, h), 2));
    const fresh = mul(sub(1, z), act(1, candidate));
    return [h === undefined ? fresh : add(fresh, mul(z, h))];
  },
};

/** i, o, f = f(..); candidate n = g(..); c = f c + i n; h = o act(c); coupled gates have f = 1 - i, as ONNX Runtime has it. */
const lstm: Cell = {
  gates: 4,
  activations: ['Sigmoid', 'Tanh', 'Tanh'],
  step(parts) {
    const { site, input, states, peepholes, act } = parts;
    const { ops, attr } = site;
    const { add, sub, mul } = ops;
    const c = states[1];
    const gates = plus(site, input, recur(parts));
    const peep = (gate: number, cell: Value | undefined) => {
      const value = columns(parts, gates, [0, 1, 2][gate]!);
      return peepholes && cell ? add(value, mul(cell, columns(parts, peepholes, gate))) : value;
    };
    const enter = act(0, peep(0, c));
    const taken = mul(enter, act(1, columns(parts, gates, 3)));
    const keep = () => (attr.int('input_forget', 0) === 0 ? act(0, peep(2, c)) : sub(1, enter));
    const cell = c === undefined ? taken : add(taken, mul(keep(), c));
    return [mul(act(0, peep(1, cell)), act(2, cell)), cell];
  },
};

/** Writes a recurrent node out step by step, so that the rules of its parts differentiate it. */
const unrolled =
  (cell: Cell): Expansion =>
  (site) => {
    const { x, attr, ops, path, refuse, node } = site;
    if (attr.int('layout', 0) !== 0) refuse('batch-first layout');
    const direction = attr.string('direction', 'forward');
    const count = direction === 'bidirectional' ? 2 : 1;
    if (x(0).dims.length !== 3) {
      fail(
        'bad-shape',
        `Unexpected rank ${x(0).dims.length} at ${path}, expected 3. Export the model again.`,
      );
    }
    const ways = Array.from({ length: count }, (_, d) =>
      oneWay(site, cell, d, direction === 'reverse' || d === 1),
    );
    const stack = (values: readonly Value[], axis: number) =>
      ops.concat(
        values.map((value) => ops.unsqueeze(value, [axis])),
        axis,
      );
    // outputs [T, N, H] per direction -> [T, D, N, H]; states [N, H] -> [D, N, H]
    const all = node.output[0]
      ? stack(
          ways.map(({ outputs }) => stack(outputs, 0)),
          1,
        )
      : undefined;
    return [
      all,
      ...ways[0]!.states.map((_, s) =>
        stack(
          ways.map(({ states }) => states[s]!),
          0,
        ),
      ),
    ];
  };

function oneWay(site: Site, cell: Cell, d: number, reverse: boolean): { outputs: Value[]; states: Value[] } {
  const { x, has, ops, path, node } = site;
  const hidden = fixed(x(2).dims.at(-1)!, path);
  const length = fixed(x(0).dims[0]!, path);
  if (length > LONGEST_SEQUENCE) site.refuse(`sequence of ${length} steps`);
  const part = (i: number): Value | undefined =>
    has(i) ? ops.squeeze(ops.slice(x(i), 0, d, d + 1), [0]) : undefined;
  const [weights, recurrence, biases] = [part(1)!, part(2)!, part(3)];
  const half = cell.gates * hidden;
  const [inputBias, bias] = biases
    ? [ops.slice(biases, 0, 0, half), ops.slice(biases, 0, half, 2 * half)]
    : [];
  // Only GRU needs the bias of the recurrence apart.
  const together = cell === gru ? inputBias : inputBias && ops.add(inputBias, bias!);
  const inputs = plus(site, ops.matMul(x(0), ops.transpose(weights, [1, 0])), together);
  const lengths = has(4) ? ops.cast(x(4), 'int64') : undefined;
  let states: (Value | undefined)[] = cell === lstm ? [part(5), part(6)] : [part(5)];
  const outputs: Value[] = [];
  const turned = ops.transpose(recurrence, [1, 0]);
  const peepholes = node.opType === 'LSTM' ? part(7) : undefined;
  for (let i = 0; i < length; i++) {
    const t = reverse ? length - 1 - i : i;
    const input = ops.squeeze(ops.slice(inputs, 0, t, t + 1), [0]);
    const act = (place: number, value: Value) => activate(site, cell, d, place, value);
    const fresh = cell.step({ site, input, states, hidden, recurrence: turned, bias, peepholes, act });
    // [N, 1]: whether the sample is still within its length
    const running = lengths && ops.unsqueeze(ops.greater(lengths, ops.int(t)), [1]);
    const old = states;
    states = running ? fresh.map((value, s) => ops.where(running, value, old[s] ?? 0)) : fresh;
    outputs[t] = running ? ops.where(running, fresh[0]!, 0) : fresh[0]!;
  }
  return { outputs, states: states as Value[] };
}

/** What an activation is as a node, and what ONNX Runtime takes for the numbers that it has where they are left out. */
interface Activation {
  readonly op: string;
  readonly alpha?: number;
  readonly beta?: number;
}

/** By lower-case name. ThresholdedRelu is left out: ONNX Runtime's threshold is not the standard's. */
const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map(
  [
    { op: 'Sigmoid' },
    { op: 'Tanh' },
    { op: 'Relu' },
    { op: 'Softsign' },
    { op: 'Softplus' },
    { op: 'LeakyRelu', alpha: 0.01 },
    { op: 'Elu', alpha: 1 },
    { op: 'HardSigmoid', alpha: 0.2, beta: 0.5 },
    { op: 'Affine', alpha: 0, beta: 0 },
    { op: 'ScaledTanh', alpha: 0, beta: 0 },
  ].map((activation) => [activation.op.toLowerCase(), activation]),
);

function activate({ attr, ops, refuse }: Site, cell: Cell, d: number, place: number, value: Value): Value {
  const { emit, mul, add, tanh } = ops;
  const names = attr.strings('activations', []);
  const nameOf = (i: number) => names[i] ?? cell.activations[i % cell.activations.length]!;
  const kindOf = (i: number) => ACTIVATIONS.get(nameOf(i).toLowerCase());
  const at = d * cell.activations.length + place;
  const { op, ...defaults } = kindOf(at) ?? refuse(`activation "${nameOf(at)}"`);
  // The numbers are listed for those activations that have any, one after the other.
  const number = (which: 'alpha' | 'beta'): number | undefined => {
    const before = [...Array(at).keys()].filter((i) => kindOf(i)?.[which] !== undefined);
    if (defaults[which] === undefined) return undefined;
    return attr.floats(`activation_${which}`, [])[before.length] ?? defaults[which];
  };
  const [alpha, beta] = [number('alpha'), number('beta')];
  const limit = attr.float('clip', 0);
  const x =
    limit > 0
      ? emit('Clip', [value, ops.scalar(-limit, value.dtype), ops.scalar(limit, value.dtype)])
      : value;
  if (op === 'Affine') return add(mul(x, alpha!), beta!);
  if (op === 'ScaledTanh') return mul(tanh(mul(x, beta!)), alpha!);
  return emit(op, [x], {
    alpha: alpha === undefined ? undefined : { float: alpha },
    beta: beta === undefined ? undefined : { float: beta },
  });
}

/** Recurrent ops, as the steps they stand for. The number of steps must be known. */
export const recurrences: Readonly<Record<string, Expansion>> = {
  RNN: unrolled(rnn),
  GRU: unrolled(gru),
  LSTM: unrolled(lstm),
};
