import { create } from '@bufbuild/protobuf';

import { attributesOf } from './attributes.js';
import type { NodeProto } from './onnx_pb.js';
import { NodeProtoSchema } from './onnx_pb.js';
import { readsOf } from './order.js';
import type { Work } from './subgraph.js';
import { identity, int64, joined, stacked } from './subgraph.js';

/** An element of a sequence: a tensor, or a part of one along an axis. */
type Element = string | Part;

interface Part {
  readonly of: string;
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  /** Whether the axis stays. */
  readonly kept: boolean;
}

/** A sequence that is known: its elements, or those from the front where their number is not known. */
interface Sequence {
  readonly all?: readonly Element[];
  at(i: number): Element | undefined;
}

// As many as a loop has rounds.
const MOST_PARTS = 1024;

/** Every op that makes a sequence of tensors, or changes one. */
const MAKERS = ['SequenceConstruct', 'SequenceEmpty', 'SequenceErase', 'SequenceInsert', 'SplitToSequence'];

/**
 * Writes nodes that read known elements of sequences in ops of tensors: Slice, Concat, Identity. Sequences that nobody reads any more
 * are left out; whatever reads one that is not known stays. Nodes must be sorted.
 */
export function withoutSequences(
  nodes: readonly NodeProto[],
  ends: readonly string[],
  work: Work,
): NodeProto[] {
  if (!nodes.some(({ opType, domain }) => domain === '' && MAKERS.includes(opType))) return [...nodes];
  const known = new Map<string, Sequence>();
  const written = nodes.flatMap((node) => {
    const made = node.domain === '' ? sequenceOf(node, known, work) : undefined;
    if (made !== undefined && node.output[0]) known.set(node.output[0], made);
    return (made === undefined && node.domain === '' && read(node, known, work)) || [node];
  });
  const maker = new Map(written.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const isIdle = (node: NodeProto) => known.has(node.output[0] ?? '');
  const used = new Set(written.filter((node) => !isIdle(node)));
  const waiting = [...ends, ...[...used].flatMap(readsOf)];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const node = maker.get(name);
    if (node === undefined || used.has(node)) continue;
    used.add(node);
    waiting.push(...readsOf(node));
  }
  return written.filter((node) => used.has(node));
}

const listed = (all: readonly Element[]): Sequence => ({ all, at: (i) => all.at(i) });

/** The sequence that a node makes, if it is known. */
function sequenceOf(node: NodeProto, known: ReadonlyMap<string, Sequence>, work: Work): Sequence | undefined {
  const [first = '', second = '', third = ''] = node.input;
  const before = known.get(first);
  switch (node.opType) {
    case 'Identity':
      return before;
    case 'SequenceEmpty':
      return listed([]);
    case 'SequenceConstruct':
      return listed(node.input);
    case 'SequenceInsert': {
      const at = third === '' ? before?.all?.length : integer(third, work);
      return before?.all && at !== undefined ? listed(before.all.toSpliced(at, 0, second)) : undefined;
    }
    case 'SequenceErase': {
      const at = second === '' ? -1 : integer(second, work);
      return before?.all && at !== undefined ? listed(before.all.toSpliced(at, 1)) : undefined;
    }
    case 'SplitToSequence':
      return split(node, work);
    default:
      return undefined;
  }
}

/** Parts of given sizes, or as many of one size as fit. */
function split(node: NodeProto, work: Work): Sequence | undefined {
  const [of = '', sizes = ''] = node.input;
  const attr = attributesOf(node);
  const axis = attr.int('axis', 0);
  const kept = sizes !== '' || attr.int('keepdims', 1) !== 0;
  const given = sizes === '' ? undefined : work.constant(sizes);
  if (sizes !== '' && given === undefined) return undefined;
  const part = (from: number, to: number): Part => ({ of, axis, from, to, kept });
  const lengths =
    given && given.dims.length > 0 ? Array.from(given.data as ArrayLike<bigint>, Number) : undefined;
  if (lengths !== undefined) {
    const ends = lengths.map((_, i) => lengths.slice(0, i + 1).reduce((sum, length) => sum + length, 0));
    return listed(ends.map((end, i) => part(end - lengths[i]!, end)));
  }
  const each = Number(given?.data[0] ?? 1);
  if (!(each >= 1)) return undefined;
  const whole = work.sizes(of)?.at(axis);
  if (typeof whole !== 'number') return { at: (i) => (i < 0 ? undefined : part(i * each, (i + 1) * each)) };
  const count = Math.ceil(whole / each);
  return count > MOST_PARTS
    ? undefined
    : listed(Array.from({ length: count }, (_, i) => part(i * each, Math.min(whole, (i + 1) * each))));
}

/** What stands for a node that reads a known sequence; undefined where that is not known. */
function read(
  node: NodeProto,
  known: ReadonlyMap<string, Sequence>,
  work: Work,
): readonly NodeProto[] | undefined {
  const [from = '', place = ''] = node.input;
  const [output = ''] = node.output;
  const sequence = known.get(from);
  if (sequence === undefined || output === '') return undefined;
  if (node.opType === 'SequenceAt') {
    const at = integer(place, work);
    const element = at === undefined ? undefined : sequence.at(at);
    return element === undefined ? undefined : tensor(element, output, work);
  }
  const { all } = sequence;
  if (all === undefined || all.length === 0) return undefined;
  if (node.opType === 'SequenceLength') {
    work.initialise(int64(all.length, []), output);
    return [];
  }
  if (node.opType !== 'ConcatFromSequence') return undefined;
  const attr = attributesOf(node);
  const names = all.map((element) => (typeof element === 'string' ? element : work.unique(element.of)));
  const cuts = all.flatMap((element, i) =>
    typeof element === 'string' ? [] : tensor(element, names[i]!, work),
  );
  const join = attr.int('new_axis', 0) === 0 ? joined : stacked;
  return [...cuts, ...join(names, attr.int('axis', 0), output, work)];
}

/** The nodes that give an element a name. */
function tensor(element: Element, output: string, work: Work): NodeProto[] {
  if (typeof element === 'string') return [identity(element, output)];
  const { of, axis, from, to, kept } = element;
  const list = (value: number) => {
    const name = work.unique('at');
    work.initialise(int64(value, [1n]), name);
    return name;
  };
  const along = list(axis);
  const cut = kept ? output : work.unique(of);
  const slice = create(NodeProtoSchema, {
    opType: 'Slice',
    input: [of, list(from), list(to), along],
    output: [cut],
  });
  const squeeze = create(NodeProtoSchema, { opType: 'Squeeze', input: [cut, along], output: [output] });
  return kept ? [slice] : [slice, squeeze];
}

function integer(name: string, work: Work): number | undefined {
  const value = work.constant(name)?.data[0];
  return value === undefined ? undefined : Number(value);
}
