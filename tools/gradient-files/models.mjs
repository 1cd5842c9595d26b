// Models that no fixture is, made of those that are.
import {
  fromNumbers,
  numbersOf,
  readModel,
  readTensor,
  readValueInfo,
  writeModel,
  writeTensor,
  writeValueInfo,
} from '@gauntlet/onnx';

/** The model with its hidden layer as an output of its own, before the scores. */
export function withHidden(bytes) {
  const model = readModel(bytes);
  const { node, output } = model.graph;
  const [hidden] = node.find(({ opType }) => opType === 'Relu').output;
  output.unshift(writeValueInfo(hidden, 'float32'));
  return writeModel(model);
}

/** The model with input, weights and output in float16. */
export function halved(bytes) {
  const model = readModel(bytes);
  const { graph } = model;
  const halfInfo = (info) => writeValueInfo(info.name, 'float16', readValueInfo(info).dims);
  graph.input = graph.input.map(halfInfo);
  graph.output = graph.output.map(halfInfo);
  graph.initializer = graph.initializer.map((proto) => {
    const tensor = readTensor(proto);
    if (tensor.dtype !== 'float32') return proto;
    return writeTensor(fromNumbers('float16', numbersOf(tensor), tensor.dims), proto.name);
  });
  return writeModel(model);
}
