import type { Attributes, Graph, NodeProto, Tensor, TensorType } from '@gauntlet/onnx';
import type { Arithmetic, Interval } from './arithmetic.js';

/** A node whose outputs are to be bounded, as its rule sees it. */
export interface Site {
  readonly node: NodeProto;
  readonly graph: Graph;
  readonly arithmetic: Arithmetic;
  readonly attr: Attributes;
  has(i: number): boolean;
  /** The bounds of input `i`; the tensor itself, twice, where it does not depend on the points. */
  x(i: number): Interval;
  /** Whether input `i` depends on the points. */
  varies(i: number): boolean;
  type(i: number): TensorType;
  /** The content of input `i`, where it is a constant. */
  value(i: number): Tensor | undefined;
  /** The node once more, with other inputs; gives its outputs. */
  again(inputs: readonly string[]): string[];
  /** Throws the sentence that names this node. */
  refuse(what: string): never;
}

/** The bounds of a node's outputs. */
export type Rule = (site: Site) => readonly Interval[];

/** Rules by the name of the op. */
export type Rules = Readonly<Record<string, Rule>>;
