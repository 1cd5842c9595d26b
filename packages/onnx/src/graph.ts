import { clone, create } from '@bufbuild/protobuf';

import type { AttributeValue } from './attributes.js';
import { writeAttribute } from './attributes.js';
import { type DType, dtypeOf } from './dtype.js';
import { fail } from './errors.js';
import type { Place } from './external.js';
import { placeOf, takeInside } from './external.js';
import { everyGraph, opsetOf } from './model.js';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from './onnx_pb.js';
import { ModelProtoSchema, NodeProtoSchema, TensorProtoSchema } from './onnx_pb.js';
import type { Tensor } from './tensor.js';
import { dimsOf, filled, int64s, readTensor, writeTensor } from './tensor.js';
import type { Dim, TensorType } from './types.js';
import { writeValueInfo } from './types.js';

/** What a node has beside inputs and attributes. */
export interface NodeOptions {
  readonly domain?: string;
  readonly name?: string;
  /** Wanted output names; each must be free. */
  readonly outputs?: readonly string[];
}

/** The bytes of a tensor that lie outside of the model; undefined where they are not wanted inside. */
export type ReadPlace = (place: Place) => Uint8Array<ArrayBuffer> | undefined;

/** Attributes of a node that is made, by name. */
export type AttributeValues = Readonly<Record<string, AttributeValue>>;

// Constants up to this many bytes are compared by content and stored once.
const SHARED_BYTES = 256;

/** Builds on the main graph of a model, node by node. The model that was given is changed in place. */
export class Graph {
  readonly model: ModelProto;
  readonly proto: GraphProto;
  /** Version of the standard operator set. */
  readonly opset: number;
  readonly #names = new Set<string>();
  readonly #suffixes = new Map<string, number>();
  readonly #constants = new Map<string, string>();
  readonly #producers = new Map<string, NodeProto>();
  readonly #typed = new Set<string>();
  readonly #sizes = new Map<string, string>();
  readonly #initializers = new Map<string, TensorProto>();
  readonly #values = new Map<string, Tensor | undefined>();

  readonly #readPlace: ReadPlace;

  /** @param readPlace reads the initialisers whose data lie outside of the model, when `value` asks for one; by default they have no value. */
  constructor(model: ModelProto, readPlace: ReadPlace = () => undefined) {
    this.model = model;
    this.#readPlace = readPlace;
    this.proto =
      model.graph ??
      fail('empty-graph', 'Unexpected model without a graph, expected one. Export the model again.');
    this.opset = opsetOf(model);
    for (const graph of everyGraph(this.proto)) {
      for (const { name } of [...graph.input, ...graph.output, ...graph.initializer, ...graph.valueInfo]) {
        this.#names.add(name);
      }
      for (const { input, output } of graph.node)
        for (const name of [...input, ...output]) this.#names.add(name);
    }
    for (const node of this.proto.node)
      for (const name of node.output) if (name !== '') this.#producers.set(name, node);
    for (const proto of this.proto.initializer) this.#initializers.set(proto.name, proto);
    for (const { name } of [...this.proto.valueInfo, ...this.proto.output]) this.#typed.add(name);
    for (const { name } of this.proto.input) this.#initializers.delete(name);
  }

  /** An empty model in the given version of the standard operator set. */
  static empty(opset: number, name = 'graph'): Graph {
    return new Graph(
      create(ModelProtoSchema, {
        irVersion: 8n,
        producerName: 'gauntlet',
        opsetImport: [{ domain: '', version: BigInt(opset) }],
        graph: { name },
      }),
    );
  }

  /** Appends a node with one output and gives that output's name. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: AttributeValues = {},
    options: NodeOptions = {},
  ): string {
    return this.nodes(op, inputs, 1, attributes, options)[0]!;
  }

  /** Appends a node with several outputs and gives their names. */
  nodes(
    op: string,
    inputs: readonly string[],
    count: number,
    attributes: AttributeValues = {},
    { domain = '', name = '', outputs }: NodeOptions = {},
  ): string[] {
    const output = outputs ?? Array.from({ length: count }, () => this.unique(op));
    if (outputs !== undefined) outputs.forEach((wanted) => this.#claim(wanted));
    const attribute = Object.entries(attributes).flatMap(([key, value]) =>
      value === undefined ? [] : [writeAttribute(key, value)],
    );
    const node = create(NodeProtoSchema, {
      opType: op,
      domain,
      name,
      input: [...inputs],
      output: [...output],
      attribute,
    });
    this.proto.node.push(node);
    for (const made of output) this.#producers.set(made, node);
    return [...output];
  }

  /** An initialiser with this content, stored once; gives its name. */
  constant(tensor: Tensor, hint = 'const'): string {
    const { data } = tensor;
    const small = 'buffer' in data && data.byteLength <= SHARED_BYTES;
    const key = small ? `${tensor.dtype}[${tensor.dims}]${contentOf(data)}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.unique(hint);
    this.proto.initializer.push(writeTensor(tensor, name));
    this.#values.set(name, tensor);
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  /** A constant of one value, a scalar unless dims are given. */
  scalar(dtype: DType, value: number, dims: readonly number[] = []): string {
    return this.constant(filled(dtype, value, dims));
  }

  /** A constant list of int64, the form in which ONNX takes axes, shapes and indices. */
  ints(values: readonly number[]): string {
    return this.constant(int64s(values));
  }

  /** Declares a graph input and gives its name: the wanted one if it is free, else one made from it. */
  input(wanted: string, dtype: DType, dims: readonly Dim[]): string {
    const name = this.#names.has(wanted) ? this.unique(wanted) : wanted;
    this.#names.add(name);
    this.proto.input.push(writeValueInfo(name, dtype, dims));
    return name;
  }

  /** Declares an existing tensor as a graph output. */
  output(name: string, dtype: DType, dims?: readonly Dim[]): string {
    this.proto.output.push(writeValueInfo(name, dtype, dims));
    return name;
  }

  /**
   * Takes over the caller's names of unknown sizes: what the graph's inputs call them (or are now told to call them) is what
   * `annotate` writes, since runtimes compare the names.
   */
  nameSizes(types: ReadonlyMap<string, TensorType>): void {
    for (const { name, type } of this.proto.input) {
      if (type?.value.case !== 'tensorType') continue;
      for (const [axis, { value }] of (type.value.value.shape?.dim ?? []).entries()) {
        const wanted = types.get(name)?.dims[axis];
        if (typeof wanted !== 'string') continue;
        if (value.case === 'dimParam' && value.value !== '') this.#sizes.set(wanted, value.value);
        else if (value.case !== 'dimValue')
          type.value.value.shape!.dim[axis]!.value = { case: 'dimParam', value: wanted };
      }
    }
  }

  /** Writes the type of an inner tensor down, for runtimes that cannot infer it; the first word stands. */
  annotate(name: string, { dtype, dims }: TensorType): void {
    if (!this.#producers.has(name) || this.#typed.has(name)) return;
    this.#typed.add(name);
    const named = dims.map((dim) => (typeof dim === 'string' ? (this.#sizes.get(dim) ?? dim) : dim));
    this.proto.valueInfo.push(writeValueInfo(name, dtype, named));
  }

  /** Takes a node out and lets other tensors stand for its outputs. */
  replace(node: NodeProto, outputs: readonly (string | undefined)[]): void {
    this.proto.node.splice(this.proto.node.indexOf(node), 1);
    this.#copy(outputs, node.output);
  }

  /**
   * Lets other tensors stand for a node's outputs until the function that it gives is called. The node stays where it is; meanwhile those
   * outputs have other names.
   */
  standIn(node: NodeProto, outputs: readonly (string | undefined)[]): () => void {
    const own = node.output;
    const copies = this.#copy(outputs, own);
    node.output = own.map((name) => (copies.has(name) ? this.unique(node.opType) : name));
    const made = new Set(copies.values());
    return () => {
      node.output = own;
      this.proto.node = this.proto.node.filter((each) => !made.has(each));
      for (const name of copies.keys()) this.#producers.set(name, node);
    };
  }

  /** Gives tensors other names, but for those that are not there, by nodes that it gives by these names. */
  #copy(sources: readonly (string | undefined)[], names: readonly string[]): ReadonlyMap<string, NodeProto> {
    const copies = new Map<string, NodeProto>();
    names.forEach((name, i) => {
      const source = sources[i];
      if (name === '' || source === undefined) return;
      const copy = create(NodeProtoSchema, { opType: 'Identity', input: [source], output: [name] });
      this.proto.node.push(copy);
      this.#producers.set(name, copy);
      copies.set(name, copy);
    });
    return copies;
  }

  /** The name of an optional output of a node, which is added if the node does not have it yet. */
  addOutput(node: NodeProto, at: number): string {
    while (node.output.length <= at) node.output.push('');
    const known = node.output[at];
    if (known) return known;
    const name = this.unique(node.opType);
    node.output[at] = name;
    this.#producers.set(name, node);
    return name;
  }

  /** The node that makes a tensor; undefined for inputs and initialisers. */
  producer(name: string): NodeProto | undefined {
    return this.#producers.get(name);
  }

  /** The content of an initialiser or of a Constant node's tensor; undefined if it is neither, lies outside and is not read, or can be overridden by an input. */
  value(name: string): Tensor | undefined {
    if (!this.#values.has(name)) this.#values.set(name, this.#read(name));
    return this.#values.get(name);
  }

  /** The type of what `value` gives, without reading it; also where its data lie outside. */
  constantType(name: string): TensorType | undefined {
    const proto = this.#initializers.get(this.source(name));
    const dtype = proto && dtypeOf(proto.dataType);
    return dtype === undefined ? this.value(name) : { dtype, dims: dimsOf(proto!) };
  }

  /** The tensor that a chain of Identity nodes passes on. */
  source(name: string): string {
    const seen = new Set<string>();
    for (let at = name; !seen.has(at);) {
      const node = this.#producers.get(at);
      if (node?.opType !== 'Identity' || node.domain !== '' || node.input.length !== 1) return at;
      seen.add(at);
      at = node.input[0]!;
    }
    return name;
  }

  /** A name that nothing in the graph or its subgraphs has. */
  unique(hint: string): string {
    for (let i = this.#suffixes.get(hint) ?? 0; ; i++) {
      const name = `${hint}_${i}`;
      if (this.#names.has(name)) continue;
      this.#suffixes.set(hint, i + 1);
      this.#names.add(name);
      return name;
    }
  }

  #claim(name: string): void {
    if (this.#names.has(name)) {
      fail(
        'bad-graph',
        `Unexpected name "${name}" at the graph, expected one that is free. Choose another name.`,
      );
    }
    this.#names.add(name);
  }

  #read(name: string): Tensor | undefined {
    const node = this.#producers.get(this.source(name));
    if (node !== undefined) return node.opType === 'Constant' ? constantOf(node) : undefined;
    const proto = this.#initializers.get(this.source(name));
    if (proto === undefined) return undefined;
    const place = placeOf(proto);
    return place === undefined ? readTensor(proto) : this.#readOutside(proto, place);
  }

  #readOutside(proto: TensorProto, place: Place): Tensor | undefined {
    const bytes = this.#readPlace(place);
    if (bytes === undefined) return undefined;
    const copy = clone(TensorProtoSchema, proto);
    takeInside(copy, bytes);
    return readTensor(copy);
  }
}

function constantOf({ attribute: [attribute] }: NodeProto): Tensor | undefined {
  if (attribute === undefined) return undefined;
  const { name, t, f, i, ints, floats } = attribute;
  if (name === 'value' && t !== undefined) return readTensor(t);
  if (name === 'value_float') return filled('float32', f);
  if (name === 'value_floats')
    return { dtype: 'float32', dims: [floats.length], data: Float32Array.from(floats) };
  if (name === 'value_int') return int64s([Number(i)], []);
  return name === 'value_ints' ? int64s(ints.map(Number)) : undefined;
}

function contentOf(data: ArrayBufferView): string {
  return String.fromCharCode(...new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
