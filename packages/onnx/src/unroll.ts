import { create } from '@bufbuild/protobuf';

import { attributesOf, writeAttribute } from './attributes.js';
import type { GraphProto, NodeProto } from './onnx_pb.js';
import { NodeProtoSchema, TensorProtoSchema } from './onnx_pb.js';
import type { Work } from './subgraph.js';
import { identity, int64, opened, stacked } from './subgraph.js';
import { readTensor } from './tensor.js';

// Loops that are longer, or that would make more nodes, stay loops.
const LONGEST = 1024;
const MOST_NODES = 20_000;

/** What one round of a loop is given besides what is carried, and how what it gives is put together. */
interface Loop {
  readonly body: GraphProto;
  readonly count: number;
  /** What the first round carries. */
  readonly start: readonly string[];
  /** Inputs of the body: what is carried, and what belongs to this round. Nodes that make them are added. */
  inputs(round: number, state: readonly string[], nodes: NodeProto[]): readonly string[];
  /** Outputs of the body that are neither carried nor collected come first. */
  readonly skipped: number;
  /** Axis and direction along which each collected output is put together. */
  collected(k: number): { readonly axis: number; readonly reverse: boolean };
}

/** The rounds one after the other; undefined where a loop is better left as it is. */
function unrolled(
  node: NodeProto,
  { body, count, start, inputs, skipped, collected }: Loop,
  work: Work,
): NodeProto[] | undefined {
  const rows: string[][] = body.output.slice(skipped + start.length).map(() => []);
  const long = count > LONGEST || count * body.node.length > MOST_NODES;
  if (long || (count === 0 && rows.length > 0)) return undefined;
  const nodes: NodeProto[] = [];
  let state = start;
  for (let i = 0; i < count; i++) {
    const outputs = body.output.map(({ name }) => work.unique(name));
    const given = inputs(i, state, nodes);
    nodes.push(...opened(body, given, outputs, work));
    state = outputs.slice(skipped, skipped + start.length);
    outputs.slice(skipped + start.length).forEach((name, k) => rows[k]!.push(name));
  }
  state.forEach((name, k) => node.output[k] && nodes.push(identity(name, node.output[k])));
  rows.forEach((row, k) => {
    const output = node.output[start.length + k];
    if (!output) return;
    const { axis, reverse } = collected(k);
    nodes.push(...stacked(reverse ? row.reverse() : row, axis, output, work));
  });
  return nodes;
}

/** Loop(rounds, condition, ...carried) -> (...carried, ...collected), for a condition that never changes. */
export function loop(node: NodeProto, work: Work): NodeProto[] | undefined {
  const body = attributesOf(node).graph('body');
  const trip = work.constant(node.input[0] ?? '')?.data[0];
  const go = node.input[1] ? work.constant(node.input[1])?.data[0] : 1;
  if (body === undefined || trip === undefined || go === undefined || !runsOn(body)) return undefined;
  const start = node.input.slice(2);
  if (body.input.length !== start.length + 2) return undefined;
  const flag = work.unique('condition');
  work.initialise(create(TensorProtoSchema, { dataType: 9, rawData: Uint8Array.of(1) }), flag);
  const inputs = (i: number, state: readonly string[]) => {
    const round = work.unique('round');
    work.initialise(int64(i, []), round);
    return [round, flag, ...state];
  };
  const count = Number(go) === 0 ? 0 : Math.max(0, Number(trip));
  return unrolled(
    node,
    { body, count, start, inputs, skipped: 1, collected: () => ({ axis: 0, reverse: false }) },
    work,
  );
}

/** Scan(...carried, ...scanned) -> (...carried, ...collected), for a number of elements that is known. */
export function scan(node: NodeProto, work: Work): NodeProto[] | undefined {
  const attr = attributesOf(node);
  const body = attr.graph('body');
  const many = attr.int('num_scan_inputs', 0);
  const scanned = node.input.slice(node.input.length - many);
  const start = node.input.slice(0, node.input.length - many);
  const list = (name: string, k: number) => attr.ints(name, [])[k] ?? 0;
  const axis = (k: number) => list('scan_input_axes', k);
  const count = work.sizes(scanned[0] ?? '')?.at(axis(0));
  if (body === undefined || typeof count !== 'number' || body.input.length !== node.input.length)
    return undefined;
  const inputs = (i: number, state: readonly string[], nodes: NodeProto[]) => {
    const elements = scanned.map((name, k) => {
      const [at, element] = [work.unique('at'), work.unique(name)];
      work.initialise(int64(list('scan_input_directions', k) === 0 ? i : count - 1 - i, []), at);
      const attribute = [writeAttribute('axis', axis(k))];
      nodes.push(
        create(NodeProtoSchema, { opType: 'Gather', input: [name, at], output: [element], attribute }),
      );
      return element;
    });
    return [...state, ...elements];
  };
  const collected = (k: number) => ({
    axis: list('scan_output_axes', k),
    reverse: list('scan_output_directions', k) !== 0,
  });
  return unrolled(node, { body, count, start, inputs, skipped: 0, collected }, work);
}

/** Whether a loop's body hands its condition on as it is, or a constant true. */
function runsOn(body: GraphProto): boolean {
  let name: string | undefined = body.output[0]?.name;
  for (let hops = 0; hops <= body.node.length && name !== undefined; hops++) {
    if (name === body.input[1]?.name) return true;
    const maker = body.node.find(({ output }) => output.includes(name!));
    const value =
      maker === undefined
        ? body.initializer.find((proto) => proto.name === name)
        : attributesOf(maker).tensor('value');
    const known = maker === undefined || maker.opType === 'Constant' ? value : undefined;
    if (known !== undefined) return Number(readTensor(known).data[0]) !== 0;
    name = maker?.opType === 'Identity' ? maker.input[0] : undefined;
  }
  return false;
}
