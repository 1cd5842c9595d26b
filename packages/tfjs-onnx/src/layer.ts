import type { Graph } from '@gauntlet/onnx';
import type { z } from 'zod';
import { parse } from './json.js';

/** A tensor in the graph that is built. All tensors stand as tfjs has them: batch first, channels last unless a layer says otherwise. */
export interface Value {
  readonly name: string;
  readonly rank: number;
}

/** A weight of a layer, row-major. */
export interface Weight {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Makes another weight of one, in ONNX's order. */
export type Rearrange = (weight: Weight) => Weight;

/** Where a layer is called: what it may use to write itself down. */
export interface Call {
  /** How messages name the layer. */
  readonly at: string;
  readonly graph: Graph;
  readonly inputs: readonly Value[];
  /** Appends a node that bears the layer's name, and gives its output. */
  node(op: string, inputs: readonly string[], attributes?: NodeAttributes): string;
  /**
   * The constant that holds a weight.
   *
   * @param shape what the weight must look like; null where any size will do.
   * @throws OnnxError `bad-tensor` where it is missing or has another shape.
   */
  weight(name: string, shape: readonly (number | null)[], rearrange?: Rearrange): string;
}

type NodeAttributes = Parameters<Graph['node']>[2];

/** A kind of layer, ready to be called. */
export type Layer = (config: unknown, call: Call) => Value;

/** Declares a kind of layer: the options that matter, in camel case, and how it is written in ONNX. */
export const layer =
  <S extends z.ZodType>(
    schema: S,
    write: (call: Call & { readonly input: Value }, config: z.output<S>) => Value,
  ): Layer =>
  (config, call) =>
    write({ ...call, input: call.inputs[0]! }, parse(schema, config, call.at));

/** Axes in another order. */
export const permute =
  (order: readonly number[]): Rearrange =>
  ({ dims, data }) => {
    const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, n) => product * n, 1));
    const target = order.map((axis) => dims[axis]!);
    const moved = new Float32Array(data.length);
    const at = target.map(() => 0);
    for (let i = 0; i < moved.length; i++) {
      moved[i] = data[at.reduce((sum, n, axis) => sum + n * strides[order[axis]!]!, 0)]!;
      for (let axis = at.length - 1; axis >= 0 && ++at[axis]! === target[axis]!; axis--) at[axis] = 0;
    }
    return { dims: target, data: moved };
  };
