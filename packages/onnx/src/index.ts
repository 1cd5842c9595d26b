export { create } from '@bufbuild/protobuf';

export type { Attributes, AttributeValue } from './attributes.js';
export { attributesOf, float, floats, nodePath, strings, writeAttribute } from './attributes.js';
export type { Beside } from './beside.js';
export { fileBeside } from './beside.js';
export type { DType, Numbers } from './dtype.js';
export { codeOf, dtypeOf, isFloat } from './dtype.js';
export type { OnnxErrorCode } from './errors.js';
export { fail, OnnxError } from './errors.js';
export type { Place } from './external.js';
export { placeAt, placeOf, takeInside } from './external.js';
export type { AttributeValues, NodeOptions, ReadPlace } from './graph.js';
export { Graph } from './graph.js';
export { inline } from './inline.js';
export { copyModel, everyGraph, opsetOf, readModel, writeModel } from './model.js';
export * from './onnx_pb.js';
export { capturesOf, readsOf, sortNodes } from './order.js';
export { renameTensors } from './rename.js';
export type { Tensor } from './tensor.js';
export {
  dimsOf,
  filled,
  fromNumbers,
  int64s,
  numbersOf,
  packTensor,
  readTensor,
  writeTensor,
} from './tensor.js';
export type { Dim, TensorType } from './types.js';
export { declaredTypes, readValueInfo, writeValueInfo } from './types.js';
export { BASE_OPSET, OLDEST_OPSET, upgrade } from './upgrade.js';
