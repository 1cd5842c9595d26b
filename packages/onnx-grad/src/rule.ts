import type { Attributes, Graph, NodeProto } from '@gauntlet/onnx';

import type { Ops } from './ops.js';
import type { Phases, Value } from './value.js';

/** How masks and convolutions are written: `blocked` keeps ONNX Runtime's blocked layout on x64, `plain` runs well anywhere. Same results. */
export type Lowering = 'blocked' | 'plain';

/** One node on the way back: its inputs x, its outputs y, what has arrived at its outputs, and the words to answer with. */
export interface Site {
  readonly node: NodeProto;
  readonly attr: Attributes;
  readonly graph: Graph;
  readonly ops: Ops;
  readonly lowering: Lowering;
  /** How messages name the node. */
  readonly path: string;
  /** Gradient of the first output; zeros if nothing has arrived there. */
  readonly g: Value;
  /** Gradient of the first output by phases, if it came so: laid out as pixels only where `g` is asked for. */
  phases(): Phases | undefined;
  /** Gradient of any output; zeros if nothing has arrived there. */
  gradient(i: number): Value;
  /** Whether anything has arrived at an output. */
  reached(i: number): boolean;
  /** Whether the input is there (optional inputs may be left out or empty). */
  has(i: number): boolean;
  /** An input with its type. Throws when it is left out, or its shape is unknown. */
  x(i: number): Value;
  /** An output with its type. */
  y(i?: number): Value;
  /** The numbers of a constant input; undefined when it is left out. Throws when it is computed at run time. */
  constant(i: number): number[] | undefined;
  /** The only node that reads a tensor, undefined if several do or if it is an end of the graph. */
  reader(name: string): NodeProto | undefined;
  /** Refuses a case that has no gradient rule: names the node and what can be done. */
  refuse(what: string): never;
}

/**
 * The gradient of each input, as recipes: the walker calls only those it needs, reduces their results to the input's shape where
 * the op broadcast it, and widens them where they are smaller. `none` for a float input whose numbers do not matter; where one that has no recipe
 * needs a gradient, the walker refuses.
 */
export type Rule = (site: Site) => readonly ((() => Value | Phases) | 'none' | undefined)[];

/** Rules by op name. */
export type Rules = Readonly<Record<string, Rule>>;

/** Writes a node out in ops that have rules: its outputs, undefined for those that nothing uses. */
export type Expansion = (site: Site) => readonly (Value | undefined)[];
