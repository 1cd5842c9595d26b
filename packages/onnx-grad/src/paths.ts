import type { NodeProto, TensorType } from '@gauntlet/onnx';
import { isFloat, readsOf } from '@gauntlet/onnx';

import { CUT, STAND_INS } from './rules/index.js';

/** An op's name, with its domain in front where it is not the standard one. */
export const nameOf = ({ domain, opType }: NodeProto): string =>
  domain === '' ? opType : `${domain}.${opType}`;

/**
 * The tensors that a change of `wrt` can move smoothly: forward from `wrt`, through float tensors, up to ops whose derivative is zero, and to
 * those that others stand in for. `through` names ops whose integers count as smooth; so do integers that are made of such ones.
 */
export function influencedBy(
  wrt: readonly string[],
  nodes: readonly NodeProto[],
  shapes: ReadonlyMap<string, TensorType>,
  through: ReadonlySet<string>,
): ReadonlySet<string> {
  const influenced = new Set(wrt);
  for (const node of nodes) {
    if (CUT.has(nameOf(node)) || Object.hasOwn(STAND_INS, nameOf(node))) continue;
    const moved = readsOf(node).filter((name) => influenced.has(name));
    if (moved.length === 0) continue;
    const passes = through.has(node.opType) || moved.some((name) => isInteger(shapes.get(name)));
    for (const name of node.output) {
      const type = shapes.get(name);
      if (name !== '' && (type === undefined || isFloat(type.dtype) || (passes && isInteger(type))))
        influenced.add(name);
    }
  }
  return influenced;
}

const isInteger = (type: TensorType | undefined): boolean =>
  type !== undefined && !isFloat(type.dtype) && type.dtype !== 'bool' && type.dtype !== 'string';

/** The nodes that read each tensor; an end of the walk counts as a reader that is no node. */
export function readersOf(
  nodes: readonly NodeProto[],
  ends: readonly string[],
): ReadonlyMap<string, readonly (NodeProto | undefined)[]> {
  const readers = new Map<string, (NodeProto | undefined)[]>(ends.map((name) => [name, [undefined]]));
  for (const node of nodes) {
    for (const name of readsOf(node)) {
      const known = readers.get(name);
      if (known === undefined) readers.set(name, [node]);
      else known.push(node);
    }
  }
  return readers;
}

/** The tensors that `of` is computed from, itself included. Nodes must be sorted. */
export function ancestorsOf(of: string, nodes: readonly NodeProto[]): ReadonlySet<string> {
  const needed = new Set([of]);
  for (const node of nodes.toReversed()) {
    if (node.output.some((name) => needed.has(name))) for (const name of readsOf(node)) needed.add(name);
  }
  return needed;
}

/** The last node before `of` that `influenced` tensors go into and none comes out of; undefined where there is none. Nodes must be sorted. */
export function lastCut(
  of: string,
  nodes: readonly NodeProto[],
  influenced: ReadonlySet<string>,
): NodeProto | undefined {
  const needed = ancestorsOf(of, nodes);
  return nodes.findLast(
    (node) =>
      node.output.some((name) => needed.has(name)) &&
      !node.output.some((name) => influenced.has(name)) &&
      readsOf(node).some((name) => influenced.has(name)),
  );
}
