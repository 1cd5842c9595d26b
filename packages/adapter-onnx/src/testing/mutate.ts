import {
  type AttributeProto,
  AttributeProto_AttributeType as Kind,
  everyGraph,
  int64s,
  type ModelProto,
  type NodeProto,
  readModel,
  type TensorProto,
  writeModel,
  writeTensor,
} from '@gauntlet/onnx';
import { stream } from '@gauntlet/tensor';

/** Whole numbers that break what does not expect them. */
const ODD = [
  0n,
  1n,
  -1n,
  2n,
  3n,
  7n,
  64n,
  -2n,
  1000n,
  65_537n,
  2n ** 31n - 1n,
  -(2n ** 31n),
  2n ** 40n,
  2n ** 62n,
  -(2n ** 63n),
];
const ODD_FLOATS = [0, -1, 1e-30, 1e30, NaN, Infinity, -Infinity, 0.5];
const OPS = (
  'Add Abs Clip Concat Conv ConvTranspose Expand Flatten Gather Gemm If Loop LeakyRelu MatMul MaxPool AveragePool GlobalMaxPool Mul Pad ' +
  'ReduceMax ReduceSum Relu Reshape Resize Scan Shape Slice Softmax Split Squeeze Tile TopK Transpose Unsqueeze Where NonZero Einsum ' +
  'ScatterElements DepthToSpace BatchNormalization LSTM Identity Dropout Cast Nonsense SequenceConstruct OneHot Range CumSum'
).split(' ');

/** A broken copy of a model file: its bytes are damaged, or it is valid protobuf that makes no sense. The same seed gives the same file. */
export function mutate(bytes: Uint8Array, seed: number, kind: 'bytes' | 'graph'): Uint8Array {
  const numbers = stream('mutation', seed);
  const upTo = (n: number) => Math.min(n - 1, Math.floor(numbers.uniform() * n));
  const of = <T>(list: readonly T[]): T => list[upTo(list.length)]!;
  if (kind === 'bytes') {
    // A copy: slice of a Buffer is none.
    return of(DAMAGES)(new Uint8Array(bytes), upTo);
  }
  const model = readModel(bytes);
  for (let left = 1 + upTo(2); left > 0; left--) of(CHANGES)(model, { of, upTo });
  return writeModel(model);
}

type UpTo = (n: number) => number;

/** Most of a file is weights, whose damage nobody notices: half of the places are near its ends, where the structure is. */
const placeIn = (bytes: Uint8Array, upTo: UpTo) => {
  const near = Math.min(bytes.length, 600);
  return [upTo(near), bytes.length - 1 - upTo(near), upTo(bytes.length), upTo(bytes.length)][upTo(4)]!;
};

const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

const DAMAGES: ((bytes: Uint8Array<ArrayBuffer>, upTo: UpTo) => Uint8Array<ArrayBuffer>)[] = [
  (bytes, upTo) => {
    bytes[placeIn(bytes, upTo)]! ^= 1 << upTo(8);
    return bytes;
  },
  (bytes, upTo) => {
    bytes[placeIn(bytes, upTo)] = [0, 1, 0x7f, 0x80, 0xff, upTo(256)][upTo(6)]!;
    return bytes;
  },
  (bytes, upTo) => bytes.slice(0, placeIn(bytes, upTo)),
  (bytes, upTo) => {
    const at = placeIn(bytes, upTo);
    return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + upTo(20)));
  },
  (bytes, upTo) => {
    const [from, to, size] = [placeIn(bytes, upTo), placeIn(bytes, upTo), 1 + upTo(40)];
    return joined(bytes.subarray(0, to), bytes.subarray(from, from + size), bytes.subarray(to));
  },
];

interface Random {
  of<T>(list: readonly T[]): T;
  upTo: UpTo;
}

const nodesOf = ({ graph }: ModelProto): NodeProto[] => everyGraph(graph!).flatMap(({ node }) => node);
const namesOf = (model: ModelProto): string[] => [
  ...nodesOf(model).flatMap(({ output }) => output),
  ...model.graph!.input.map(({ name }) => name),
  ...model.graph!.initializer.map(({ name }) => name),
];
const onNode =
  (change: (node: NodeProto, random: Random, model: ModelProto) => void) =>
  (model: ModelProto, random: Random) => {
    const nodes = nodesOf(model);
    if (nodes.length > 0) change(random.of(nodes), random, model);
  };
const onAttribute = (change: (attribute: AttributeProto, random: Random) => void) =>
  onNode((node, random, model) => {
    const all =
      node.attribute.length > 0 ? node.attribute : nodesOf(model).flatMap(({ attribute }) => attribute);
    if (all.length > 0) change(random.of(all), random);
  });
const onTensor =
  (change: (tensor: TensorProto, random: Random) => void) => (model: ModelProto, random: Random) => {
    const inner = nodesOf(model).flatMap(({ attribute }) => attribute.flatMap(({ t }) => t ?? []));
    const all = [...model.graph!.initializer, ...inner];
    // Small tensors of integers steer shapes: they are found more often than their number says.
    const small = all.filter(({ rawData }) => rawData.length <= 64);
    const list = small.length > 0 && random.upTo(2) === 0 ? small : all;
    if (list.length > 0) change(random.of(list), random);
  };

/** A node that wants a lot of memory, put before a node that uses its result. */
const bomb = (model: ModelProto, { of, upTo }: Random) => {
  const graph = model.graph!;
  if (graph.node.length === 0) return;
  const user = of(graph.node);
  const place = upTo(Math.max(1, user.input.length));
  const from = user.input[place] ?? '';
  const name = `bomb_${graph.node.length}`;
  const sizes = Array.from({ length: 1 + upTo(4) }, () =>
    Number(of([1n, 3n, 1000n, 100_000n, 2n ** 31n, 2n ** 40n])),
  );
  graph.initializer.push(writeTensor(int64s(sizes), `${name}_sizes`));
  const op = of(['Expand', 'Tile', 'ConstantOfShape', 'Reshape', 'Pad', 'Resize', 'OneHot']);
  const input = op === 'ConstantOfShape' ? [`${name}_sizes`] : [from, `${name}_sizes`];
  graph.node.splice(graph.node.indexOf(user), 0, {
    ...user,
    name,
    opType: op,
    domain: '',
    input,
    output: [name],
    attribute: [],
  });
  user.input[place] = name;
};

const CHANGES: ((model: ModelProto, random: Random) => void)[] = [
  bomb,
  onAttribute((attribute, { of, upTo }) => {
    attribute.i = of(ODD);
    if (attribute.ints.length > 0) attribute.ints[upTo(attribute.ints.length)] = of(ODD);
    if (attribute.floats.length > 0) attribute.floats[upTo(attribute.floats.length)] = of(ODD_FLOATS);
    attribute.f = of(ODD_FLOATS);
    if (attribute.s.length > 0)
      attribute.s = new TextEncoder().encode(of(['', 'SAME_UPPER', 'VALID', 'nonsense', 'L1']));
  }),
  onAttribute((attribute, { of }) => {
    attribute.type = of([Kind.INT, Kind.INTS, Kind.FLOAT, Kind.FLOATS, Kind.STRING, Kind.TENSOR, Kind.GRAPH]);
  }),
  onAttribute((attribute, { of, upTo }) => {
    attribute.ints = Array.from({ length: upTo(6) }, () => of(ODD));
  }),
  onNode((node, { upTo }) => void node.attribute.splice(upTo(node.attribute.length + 1), 1)),
  onNode((node, { of }) => (node.opType = of(OPS))),
  onNode(
    (node, { of, upTo }, model) =>
      (node.input[upTo(node.input.length + 1)] = of([...namesOf(model), '', 'nobody'])),
  ),
  onNode((node, { upTo }) => void node.input.splice(upTo(node.input.length + 1), 1)),
  onNode(
    (node, { of, upTo }, model) =>
      (node.output[upTo(node.output.length + 1)] = of([...namesOf(model), '', 'new'])),
  ),
  onNode((node, { of }) => (node.domain = of(['', 'ai.onnx.ml', 'com.microsoft', 'nobody']))),
  (model, { upTo }) => void model.graph!.node.splice(upTo(model.graph!.node.length), 1),
  ({ graph }, { upTo }) => {
    if (graph!.node.length === 0) return;
    const [a, b] = [upTo(graph!.node.length), upTo(graph!.node.length)];
    [graph!.node[a], graph!.node[b]] = [graph!.node[b]!, graph!.node[a]!];
  },
  onTensor((tensor, { of, upTo }) => {
    if (tensor.dims.length > 0) tensor.dims[upTo(tensor.dims.length)] = of(ODD);
  }),
  onTensor((tensor, { upTo }) => void (tensor.dims = upTo(2) === 0 ? [] : [...tensor.dims, 1n])),
  onTensor((tensor, { upTo }) => (tensor.dataType = upTo(28))),
  onTensor(
    (tensor, { upTo }) => (tensor.rawData = tensor.rawData.subarray(0, upTo(tensor.rawData.length + 1))),
  ),
  onTensor((tensor, { of, upTo }) => {
    const wide = tensor.dataType === 7 && tensor.rawData.length >= 8;
    if (wide)
      tensor.rawData = new Uint8Array(
        BigInt64Array.from({ length: tensor.rawData.length / 8 }, () => (upTo(2) === 0 ? of(ODD) : 1n))
          .buffer,
      );
    else tensor.rawData = tensor.rawData.map(() => upTo(256));
  }),
  ({ graph }, { of, upTo }) => {
    const type = of([...graph!.input, ...graph!.output]).type?.value;
    if (type?.case !== 'tensorType') return;
    if (upTo(3) === 0) type.value.elemType = upTo(20);
    const dims = type.value.shape?.dim ?? [];
    if (dims.length > 0) dims[upTo(dims.length)]!.value = { case: 'dimValue', value: of(ODD) };
    if (upTo(4) === 0) dims.pop();
  },
  (model, { of }) => (of(model.opsetImport).version = of([...ODD, 5n, 9n, 13n, 22n])),
  ({ graph }, { of }) => (of(graph!.output).name = of([...namesOf({ graph } as ModelProto), 'nobody'])),
];
