import { create } from '@bufbuild/protobuf';

import type { Attributes, AttributeValue } from './attributes.js';
import { attributesOf, nodePath, writeAttribute } from './attributes.js';
import { fail } from './errors.js';
import { everyGraph, opsetOf } from './model.js';
import type { GraphProto, ModelProto, NodeProto } from './onnx_pb.js';
import { NodeProtoSchema } from './onnx_pb.js';
import type { Tensor } from './tensor.js';
import { filled, int64s } from './tensor.js';
import { declaredTypes } from './types.js';

/** The operator set that `upgrade` brings older models to. */
export const BASE_OPSET = 18;

/** The oldest operator set that is read. */
export const OLDEST_OPSET = 7;

/** One node under conversion: it is changed in place, and nodes can be put before and after it. */
interface Site {
  readonly node: NodeProto;
  readonly attr: Attributes;
  /** The operator set the file was written in. */
  readonly opset: number;
  /** Rank of the first input, if the file declares it. */
  readonly rank: number | undefined;
  before(op: string, inputs: readonly string[], attributes?: Record<string, AttributeValue>): string;
  after(
    op: string,
    inputs: readonly string[],
    output: string,
    attributes?: Record<string, AttributeValue>,
  ): void;
  set(name: string, value: Exclude<AttributeValue, undefined>): void;
  drop(...names: string[]): void;
  fresh(hint: string): string;
}

/**
 * Brings a model of operator set 7 to 17 to operator set 18, in place: attributes that became inputs are moved, ops that were
 * renamed are renamed, and changed defaults are written out, so that what comes after meets one form of each op. Newer
 * models stay as they are. Initialisers that an old file also lists as inputs become plain constants.
 * Throws `unsupported-opset` below 7.
 */
export function upgrade(model: ModelProto): ModelProto {
  const opset = opsetOf(model);
  const graph =
    model.graph ??
    fail('empty-graph', 'Unexpected model without a graph, expected one. Export the model again.');
  if (!(opset >= OLDEST_OPSET)) {
    fail(
      'unsupported-opset',
      `Unexpected operator set ${opset} at the model, expected ${OLDEST_OPSET} or newer. Export the model again with a newer opset.`,
    );
  }
  if (model.irVersion < 4n) {
    const constants = new Set(graph.initializer.map(({ name }) => name));
    graph.input = graph.input.filter(({ name }) => !constants.has(name));
  }
  if (model.irVersion < 8n) model.irVersion = 8n;
  const types = declaredTypes(model);
  const fresh = freshNames(graph);
  const rankOf = (name: string | undefined) => types.get(name ?? '')?.dims.length;
  if (opset < BASE_OPSET) {
    for (const inner of everyGraph(graph))
      inner.node = inner.node.flatMap((node) => convert(node, opset, rankOf, fresh));
  }
  for (const body of model.functions) {
    const standard = body.opsetImport.find(({ domain }) => isStandard(domain));
    const version = Number(standard?.version ?? opset);
    if (version >= BASE_OPSET) continue;
    body.node = body.node.flatMap((node) => convert(node, version, () => undefined, fresh));
    if (standard !== undefined) standard.version = BigInt(BASE_OPSET);
  }
  for (const entry of model.opsetImport) {
    if (isStandard(entry.domain) && opset < BASE_OPSET) entry.version = BigInt(BASE_OPSET);
  }
  return model;
}

const isStandard = (domain: string) => domain === '' || domain === 'ai.onnx';

function freshNames(graph: GraphProto): (hint: string) => string {
  const names = new Set<string>();
  for (const { input, output, node, initializer } of everyGraph(graph)) {
    for (const { name } of [...input, ...output, ...initializer]) names.add(name);
    for (const inner of node) for (const name of [...inner.input, ...inner.output]) names.add(name);
  }
  let count = 0;
  return (hint) => {
    let name: string;
    do name = `upgraded_${hint}_${count++}`;
    while (names.has(name));
    return name;
  };
}

function convert(
  node: NodeProto,
  opset: number,
  rankOf: (name: string | undefined) => number | undefined,
  fresh: (hint: string) => string,
): NodeProto[] {
  const change =
    isStandard(node.domain) && Object.hasOwn(CHANGES, node.opType) ? CHANGES[node.opType] : undefined;
  if (change === undefined) return [node];
  const [before, after]: [NodeProto[], NodeProto[]] = [[], []];
  const drop = (...names: string[]) => {
    node.attribute = node.attribute.filter(({ name }) => !names.includes(name));
  };
  change({
    node,
    attr: attributesOf(node),
    opset,
    rank: rankOf(node.input[0]) ?? rankOf(node.output[0]),
    before(op, inputs, attributes = {}) {
      const output = fresh(op);
      before.push(make(op, inputs, output, attributes));
      return output;
    },
    after: (op, inputs, output, attributes = {}) => after.push(make(op, inputs, output, attributes)),
    set(name, value) {
      drop(name);
      node.attribute.push(writeAttribute(name, value));
    },
    drop,
    fresh,
  });
  return [...before, node, ...after];
}

function make(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Record<string, AttributeValue>,
): NodeProto {
  const attribute = Object.entries(attributes).flatMap(([name, value]) =>
    value === undefined ? [] : [writeAttribute(name, value)],
  );
  return create(NodeProtoSchema, { opType: op, input: [...inputs], output: [output], attribute });
}

const constant = ({ before }: Site, value: Tensor) => before('Constant', [], { value });
const ints = (site: Site, values: readonly number[]) => constant(site, int64s(values));

/** Puts an input at a place, filling skipped optional ones. */
function place({ node }: Site, at: number, name: string): void {
  while (node.input.length < at) node.input.push('');
  node.input[at] = name;
}

/** An INTS attribute that became an input in some operator set. */
const moved =
  (since: number, attribute: string, at = 1) =>
  (site: Site): void => {
    if (site.opset >= since) return;
    const values = site.attr.ints(attribute, undefined);
    if (values !== undefined) place(site, at, ints(site, values));
    site.drop(attribute);
  };

/** Before 13 these work on the input flattened to [before the axis, from the axis on]. */
function softmax(site: Site): void {
  const { node, attr, opset, rank, before, after, set, fresh } = site;
  if (opset >= 13) return;
  const axis = attr.int('axis', 1);
  set('axis', -1);
  if (axis === -1 || (rank !== undefined && axis === rank - 1)) return;
  const [input = ''] = node.input;
  const [output = ''] = node.output;
  const rows = fresh('rows');
  node.input = [before('Flatten', [input], { axis })];
  node.output = [rows];
  after('Reshape', [rows, before('Shape', [input])], output);
}

function clip(site: Site): void {
  if (site.opset >= 11) return;
  const bounds = [site.attr.float('min', undefined), site.attr.float('max', undefined)];
  site.drop('min', 'max');
  bounds.forEach((bound, i) => {
    // The old attributes are float32 and exist for float16 and double inputs too, which CastLike follows.
    if (bound === undefined) return;
    const value = constant(site, filled('float32', bound));
    place(site, i + 1, site.before('CastLike', [value, site.node.input[0] ?? '']));
  });
}

function pad(site: Site): void {
  if (site.opset >= 11) return;
  const pads =
    site.attr.ints('pads', undefined) ??
    fail(
      'bad-attribute',
      `Unexpected missing attribute "pads" at ${nodePath(site.node)}, expected integers. Export the model again.`,
    );
  const value = site.attr.float('value', 0);
  site.drop('pads', 'value');
  place(site, 1, ints(site, pads));
  if (value !== 0)
    place(
      site,
      2,
      site.before('CastLike', [constant(site, filled('float32', value)), site.node.input[0] ?? '']),
    );
}

function slice(site: Site): void {
  if (site.opset >= 10) return;
  const [starts, ends] = [site.attr.ints('starts', []), site.attr.ints('ends', [])];
  const axes = site.attr.ints(
    'axes',
    starts.map((_, i) => i),
  );
  site.drop('starts', 'ends', 'axes');
  [starts, ends, axes].forEach((values, i) => place(site, i + 1, ints(site, values)));
}

function split(site: Site): void {
  moved(13, 'split')(site);
  if (!site.node.input[1]) site.set('num_outputs', site.node.output.length);
}

function topK(site: Site): void {
  if (site.opset >= 10) return;
  place(site, 1, ints(site, [site.attr.int('k', 1)]));
  site.drop('k');
}

function dropout(site: Site): void {
  if (site.opset < 12) site.drop('ratio');
}

function upsample(site: Site): void {
  const scales = site.attr.floats('scales', undefined);
  const named =
    scales && constant(site, { dtype: 'float32', dims: [scales.length], data: Float32Array.from(scales) });
  site.drop('scales');
  site.node.opType = 'Resize';
  site.node.input = [site.node.input[0] ?? '', '', named ?? site.node.input[1] ?? ''];
  asymmetric(site);
}

function resize(site: Site): void {
  if (site.opset >= 11) return;
  site.node.input.splice(1, 0, '');
  asymmetric(site);
}

function asymmetric({ set }: Site): void {
  set('coordinate_transformation_mode', 'asymmetric');
  set('nearest_mode', 'floor');
}

function batchNormalization(site: Site): void {
  site.drop('spatial');
  if (site.opset < 14) site.node.output.length = Math.min(site.node.output.length, 1);
}

const reduce = moved(18, 'axes');

const CHANGES: Readonly<Record<string, (site: Site) => void>> = {
  BatchNormalization: batchNormalization,
  Clip: clip,
  Dropout: dropout,
  Hardmax: softmax,
  LogSoftmax: softmax,
  Pad: pad,
  ReduceL1: reduce,
  ReduceL2: reduce,
  ReduceLogSum: reduce,
  ReduceLogSumExp: reduce,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceSum: moved(13, 'axes'),
  ReduceSumSquare: reduce,
  Resize: resize,
  RoiAlign: ({ opset, set }) => {
    if (opset < 16) set('coordinate_transformation_mode', 'output_half_pixel');
  },
  Scatter: ({ node }) => {
    node.opType = 'ScatterElements';
  },
  Slice: slice,
  Softmax: softmax,
  Split: split,
  Squeeze: moved(13, 'axes'),
  TopK: topK,
  Unsqueeze: moved(13, 'axes'),
  Upsample: upsample,
};
