import { float } from '@gauntlet/onnx';
import { z } from 'zod';
import { camel } from '../json.js';
import { type Call, layer, type Value } from '../layer.js';

type Write = (call: Call, x: string) => string;

const op =
  (name: string, attributes = {}): Write =>
  ({ node }, x) =>
    node(name, [x], attributes);

const number = ({ graph }: Call, value: number) => graph.scalar('float32', value);

const clip = (call: Call, x: string, most: number) =>
  call.node('Clip', [x, number(call, 0), number(call, most)]);

/** x/2 (1 + erf(x / sqrt 2)), as tfjs has it: the op Gelu is of opset 20. */
const gelu: Write = (call, x) => {
  const erf = call.node('Erf', [call.node('Div', [x, number(call, Math.SQRT2)])]);
  return call.node('Mul', [
    x,
    call.node('Mul', [number(call, 0.5), call.node('Add', [number(call, 1), erf])]),
  ]);
};

const WRITES = {
  linear: (_, x) => x,
  relu: op('Relu'),
  relu6: (call, x) => clip(call, x, 6),
  elu: op('Elu'),
  selu: op('Selu'),
  sigmoid: op('Sigmoid'),
  hardSigmoid: op('HardSigmoid', { alpha: float(0.2), beta: float(0.5) }),
  softplus: op('Softplus'),
  softsign: op('Softsign'),
  tanh: op('Tanh'),
  softmax: op('Softmax', { axis: -1 }),
  logSoftmax: op('LogSoftmax', { axis: -1 }),
  gelu,
  mish: op('Mish'),
  swish: (call, x) => call.node('Mul', [x, call.node('Sigmoid', [x])]),
} satisfies Record<string, Write>;

/** The name of an activation, by itself or as the class of a configuration. */
export const activation = z
  .union([z.string(), z.object({ className: z.string() }).transform(({ className }) => className)])
  .transform(camel)
  .pipe(z.enum(Object.keys(WRITES) as (keyof typeof WRITES)[]))
  .default('linear');

/** A tensor after an activation. */
export const activate = (call: Call, { name, rank }: Value, kind: keyof typeof WRITES): Value => ({
  name: WRITES[kind](call, name),
  rank,
});

const alone = z.object({});

/** Layers that are functions of each number, or of each row of channels. */
export const activations = {
  Activation: layer(z.object({ activation }), (call, config) =>
    activate(call, call.input, config.activation),
  ),
  ReLU: layer(
    // tfjs does not know the other two: with them, its answers are not those of Keras.
    z.object({
      maxValue: z.number().optional(),
      negativeSlope: z.literal(0).default(0),
      threshold: z.literal(0).default(0),
    }),
    (call, { maxValue }) => ({
      name:
        maxValue === undefined ? call.node('Relu', [call.input.name]) : clip(call, call.input.name, maxValue),
      rank: call.input.rank,
    }),
  ),
  LeakyReLU: layer(
    // Keras 3 has another name for it, which tfjs does not read.
    z.object({ alpha: z.number().default(0.3), negativeSlope: z.literal(0.3).default(0.3) }),
    ({ node, input: { name, rank } }, { alpha }) => ({
      name: node('LeakyRelu', [name], { alpha: float(alpha) }),
      rank,
    }),
  ),
  PReLU: layer(alone, ({ node, weight, input: { name, rank } }) => ({
    name: node('PRelu', [name, weight('alpha', Array<null>(rank - 1).fill(null))]),
    rank,
  })),
  ELU: layer(z.object({ alpha: z.literal(1).default(1) }), (call) => activate(call, call.input, 'elu')),
  ThresholdedReLU: layer(
    z.object({ theta: z.number().default(1) }),
    ({ node, input: { name, rank } }, { theta }) => ({
      name: node('ThresholdedRelu', [name], { alpha: float(theta) }),
      rank,
    }),
  ),
  Softmax: layer(
    z.object({
      axis: z
        .union([
          z.int(),
          z
            .array(z.int())
            .length(1)
            .transform(([one]) => one!),
        ])
        .default(1),
    }),
    ({ node, input: { name, rank } }, { axis }) => ({ name: node('Softmax', [name], { axis }), rank }),
  ),
};
