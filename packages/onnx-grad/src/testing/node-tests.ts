import { readFileSync } from 'node:fs';

import type { DType, ModelProto, Tensor } from '@gauntlet/onnx';
import {
  attributesOf,
  codeOf,
  dtypeOf,
  everyGraph,
  filled,
  fromNumbers,
  isFloat,
  numbersOf,
  readModel,
  readTensor,
  writeAttribute,
  writeTensor,
} from '@gauntlet/onnx';

import { numbers } from './differences.js';
import { readNpy, unzip } from './npz.js';
import type { Feeds } from './run.js';

/** One of the ONNX project's own tests of a node: a model, and what it is fed. */
export interface NodeTest {
  readonly model: ModelProto;
  readonly feeds: Feeds;
}

/** The tests of an archive of `tools/fixtures/node_tests.py` by name; each is read when it is asked for. */
export function openNodeTests(path: string): ReadonlyMap<string, () => NodeTest> {
  const files = new Map(unzip(readFileSync(path)));
  const index = JSON.parse(new TextDecoder().decode(files.get('index.json'))) as Record<
    string,
    Record<string, number>
  >;
  return new Map(
    Object.entries(index).map(([name, inputs]) => [
      name,
      () => ({
        model: readModel(files.get(`${name}.onnx`)!),
        feeds: new Map(
          Object.entries(inputs).map(([input, number]) => [input, readNpy(files.get(`${number}.npy`)!)]),
        ),
      }),
    ]),
  );
}

/** Moves a number out of a margin around kinks. */
const away =
  (...kinks: number[]) =>
  (x: number) => {
    const near = kinks.find((kink) => Math.abs(x - kink) < 0.2);
    return near === undefined ? x : near + (x < near ? -0.3 : 0.3);
  };

/** Numbers so far apart that none overtakes another; `count` is at least as many as there are, and a prime. */
const distinct = (count: number, gap: number) => (_: number, i: number) => gap * ((i * 37) % count);

/**
 * Where the inputs of the tests of these names may lie, so that differences neither leave an op's domain nor cross its kinks;
 * and less far out for what curves too strongly for float32.
 */
const DOMAINS: readonly (readonly [RegExp, (x: number, i: number) => number])[] = [
  [/^acosh/, (x) => 1.3 + Math.abs(x)],
  [/^(acos|asin|atanh|tan)(_|$)/, (x) => 0.8 * Math.sin(x)],
  [/^(relu|leakyrelu|elu|selu|celu|prelu|abs|softsign)/, away(0)],
  [/^(sqrt|log|reciprocal|pow)(_|$)/, (x) => 0.3 + Math.abs(x)],
  [/^hardsigmoid/, away(-2.5, 2.5, -1.2, 0.8)],
  [/^hardswish/, away(-3, 3)],
  [/^thresholdedrelu/, away(1, 2)],
  [/^shrink/, away(-1.5, 1.5)],
  [/^range/, (x) => x + 0.1],
  [/^maxpool/, distinct(100_003, 0.01)],
  [/^(globalmaxpool|hardmax)/, distinct(127, 0.2)],
  [/^(simple_rnn|rnn|gru|lstm)/, (x) => 0.3 * x],
];

/** Float inputs that rules need as constants, or that shapes depend on. */
const CONSTANT = /^(resize|upsample).*:(roi|scales)$|^onehot.*:(indices|depth)$/;

/** A test with floats of one type at a point of its domain, a little aside of round numbers and ties; what is no float is a constant. */
export function prepared(name: string, original: NodeTest, dtype: DType): NodeTest {
  const test = retyped(original, dtype);
  const domain = DOMAINS.find(([names]) => names.test(name))?.[1] ?? ((x: number) => x);
  const random = numbers(7);
  const fixed = new Set<string>();
  const feeds = new Map<string, Tensor>();
  for (const [input, tensor] of test.feeds) {
    if (!isFloat(tensor.dtype) || CONSTANT.test(`${name}:${input}`)) fixed.add(input);
    else {
      const values = numbersOf(tensor);
      const noise = random(values.length, -0.05, 0.05);
      feeds.set(
        input,
        fromNumbers(
          dtype,
          values.map((x, i) => domain(x + noise[i]!, i)),
          tensor.dims,
        ),
      );
    }
  }
  const graph = test.model.graph!;
  graph.initializer.push(...[...fixed].map((input) => writeTensor(test.feeds.get(input)!, input)));
  graph.input = graph.input.filter((info) => !fixed.has(info.name));
  return { model: test.model, feeds };
}

/** The test with every float of one type, in place. */
export function retyped({ model, feeds }: NodeTest, dtype: DType): NodeTest {
  const code = codeOf(dtype);
  const wanted = (type: number) => (isFloat(dtypeOf(type) ?? 'bool') ? code : type);
  const convert = (tensor: Tensor): Tensor =>
    isFloat(tensor.dtype) ? fromNumbers(dtype, numbersOf(tensor), tensor.dims) : tensor;
  const nodes = [...everyGraph(model.graph!), ...model.functions].flatMap(({ node }) => node);
  // The scales of a Resize are float32 whatever it resizes.
  const scales = new Set(
    nodes.flatMap(({ opType, input }) => (opType === 'Resize' ? input.slice(2, 3) : [])),
  );
  for (const graph of everyGraph(model.graph!)) {
    graph.initializer = graph.initializer.map((proto) =>
      scales.has(proto.name) ? proto : writeTensor(convert(readTensor(proto)), proto.name),
    );
    for (const { type } of [...graph.input, ...graph.output, ...graph.valueInfo]) {
      if (type?.value.case === 'tensorType') type.value.value.elemType = wanted(type.value.value.elemType);
    }
  }
  for (const node of nodes) {
    if (scales.has(node.output[0]!)) continue;
    if (node.opType === 'ConstantOfShape' && node.attribute.length === 0)
      node.attribute.push(writeAttribute('value', filled('float32', 0, [1])));
    for (const attribute of node.attribute) {
      if (attribute.t !== undefined)
        attribute.t = writeTensor(convert(readTensor(attribute.t)), attribute.t.name);
    }
    const to = node.attribute.find(({ name }) => name === 'to');
    if (node.opType === 'Cast' && to !== undefined) to.i = BigInt(wanted(attributesOf(node).int('to', 1)));
  }
  return { model, feeds: new Map([...feeds].map(([name, tensor]) => [name, convert(tensor)])) };
}
