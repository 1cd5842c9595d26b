import type { Dim, Graph, NodeProto, TensorType } from '@gauntlet/onnx';
import { attributesOf, dtypeOf, readsOf } from '@gauntlet/onnx';

/**
 * What a weight does in its layer: a `kernel` multiplies and is summed over `fan` inputs, as do `recurrent` ones; a `bias` is added to that sum;
 * `scale` and `shift` act on each element, `slope` on its negative part, a `table` is looked up or put beside other tensors.
 */
export type Role = 'kernel' | 'bias' | 'recurrent' | 'scale' | 'shift' | 'slope' | 'table';

/** An initialiser that training changes. */
export interface Weight {
  readonly name: string;
  readonly dims: readonly number[];
  readonly role: Role;
  /** How many numbers an output of the layer is summed from; 1 where nothing is summed. */
  readonly fan: number;
}

type Roles = readonly (Role | null)[];

const NORMALISED: Roles = [null, 'scale', 'shift'];
const RECURRENT: Roles = [null, 'recurrent', 'recurrent', 'recurrent'];

/** Which inputs of an op are weights. */
const LAYERS: Readonly<Record<string, Roles>> = {
  Conv: [null, 'kernel', 'bias'],
  ConvTranspose: [null, 'kernel', 'bias'],
  Gemm: ['kernel', 'kernel', 'bias'],
  MatMul: ['kernel', 'kernel'],
  BatchNormalization: NORMALISED,
  InstanceNormalization: NORMALISED,
  GroupNormalization: NORMALISED,
  LayerNormalization: NORMALISED,
  RMSNormalization: NORMALISED,
  PRelu: [null, 'slope'],
  Gather: ['table'],
  RNN: RECURRENT,
  GRU: RECURRENT,
  LSTM: RECURRENT,
};

/** Ops in which an initialiser of several elements is a weight where it meets what a layer made: before any layer, it normalises the input. */
const BESIDE: Readonly<Record<string, Role>> = { Add: 'shift', Mul: 'scale', Concat: 'table' };

/** Ops that hand weights on to their layer in another shape. */
const PASSES = new Set([
  'Identity',
  'Cast',
  'CastLike',
  'Transpose',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Expand',
  'Slice',
]);

/**
 * The weights of a graph, by what its layers do with its float32 initialisers: everything that PyTorch would count as a parameter. Running means
 * and variances, scalar constants, and what normalises the input are none. Nodes must be sorted.
 *
 * @param types of the graph's tensors; a kernel's size is read from it.
 */
export function weightsOf(graph: Graph, types: ReadonlyMap<string, TensorType>): Weight[] {
  const initialisers = new Map(
    graph.proto.initializer.flatMap((proto) =>
      dtypeOf(proto.dataType) === 'float32' ? [[proto.name, proto.dims.map(Number)] as const] : [],
    ),
  );
  for (const { name } of graph.proto.input) initialisers.delete(name);
  const found = new Map<string, Weight>();
  const learnt = new Set<string>();
  /** The initialisers that a tensor is made of, where it is made of nothing else. */
  const origins = new Map<string, readonly string[]>([...initialisers.keys()].map((name) => [name, [name]]));
  for (const node of graph.proto.node) {
    const passed = passedOn(node, origins);
    if (passed !== undefined) {
      for (const name of node.output) origins.set(name, passed);
      continue;
    }
    const afterLayer = readsOf(node).some((name) => learnt.has(name));
    const roles = rolesOf(node, afterLayer);
    const fan = fanOf(node, types);
    node.input.forEach((input, i) => {
      const role = roles(i);
      for (const name of role === null ? [] : (origins.get(input) ?? [])) {
        const dims = initialisers.get(name)!;
        const constant = node.opType in BESIDE && dims.every((size) => size === 1);
        if (!constant && !found.has(name)) found.set(name, { name, dims, role: role!, fan });
      }
    });
    const isLayer = node.domain === '' && Object.hasOwn(LAYERS, node.opType);
    if (afterLayer || isLayer) for (const name of node.output) learnt.add(name);
  }
  return [...found.values()];
}

/** The initialisers that a node hands on, and does nothing else. */
function passedOn(
  { domain, opType, input }: NodeProto,
  origins: ReadonlyMap<string, readonly string[]>,
): readonly string[] | undefined {
  if (domain !== '' || !(PASSES.has(opType) || opType === 'Concat')) return undefined;
  const parts = (opType === 'Concat' ? input : input.slice(0, 1)).map((name) => origins.get(name));
  return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}

/** What each input of a node would be as a weight. */
function rolesOf({ domain, opType }: NodeProto, afterLayer: boolean): (input: number) => Role | null {
  if (domain !== '') return () => null;
  const layer = Object.hasOwn(LAYERS, opType) ? LAYERS[opType] : undefined;
  if (layer !== undefined) return (i) => layer[i] ?? null;
  const beside = afterLayer && Object.hasOwn(BESIDE, opType) ? BESIDE[opType]! : null;
  return () => beside;
}

/** How many numbers each output of a layer is summed from, as PyTorch counts them. */
function fanOf(node: NodeProto, types: ReadonlyMap<string, TensorType>): number {
  const attr = attributesOf(node);
  const dims = (i: number) => types.get(node.input[i] ?? '')?.dims ?? [];
  switch (node.opType) {
    case 'Conv':
    case 'ConvTranspose':
      return size(dims(1).slice(1));
    case 'Gemm':
      return size([dims(1)[attr.int('transB', 0) === 0 ? 0 : 1] ?? 1]);
    case 'MatMul':
      return size([dims(1).at(dims(1).length === 1 ? 0 : -2) ?? 1]);
    case 'RNN':
    case 'GRU':
    case 'LSTM':
      return size([dims(2).at(-1) ?? 1]);
    default:
      return 1;
  }
}

const size = (dims: readonly Dim[]) =>
  dims.reduce<number>((product, dim) => product * (typeof dim === 'number' ? dim : 1), 1);
