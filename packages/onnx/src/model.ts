import { clone, fromBinary, toBinary } from '@bufbuild/protobuf';

import { fail, OnnxError } from './errors.js';
import type { GraphProto, ModelProto } from './onnx_pb.js';
import { ModelProtoSchema } from './onnx_pb.js';
import { packTensor } from './tensor.js';

/**
 * Reads an ONNX file. Fields that this version of the format does not know survive a rewrite; numbers in `float_data`
 * and its siblings become `raw_data`. Throws `not-onnx`, `truncated` or `empty-graph`.
 */
export function readModel(bytes: Uint8Array): ModelProto {
  const model = decode(bytes);
  if (model.graph === undefined) {
    return fail(
      'not-onnx',
      'Unexpected content at the model file, expected an ONNX model with a graph. Give an .onnx file.',
    );
  }
  if (model.graph.node.length === 0) {
    fail(
      'empty-graph',
      'Unexpected empty graph at the model file, expected at least one node. Export the model again.',
    );
  }
  for (const graph of everyGraph(model.graph)) {
    graph.initializer.forEach(packTensor);
    for (const { attribute } of graph.node) for (const { t } of attribute) if (t !== undefined) packTensor(t);
  }
  return model;
}

/** Writes a model as the bytes of an ONNX file. */
export function writeModel(model: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, model);
}

/** A deep copy, to be changed without touching the original. */
export function copyModel(model: ModelProto): ModelProto {
  return clone(ModelProtoSchema, model);
}

/** A graph and every graph inside its nodes, outermost first. */
export function everyGraph(graph: GraphProto): GraphProto[] {
  const found = [graph];
  for (let i = 0; i < found.length; i++) {
    for (const { attribute } of found[i]!.node) {
      for (const { g, graphs } of attribute) found.push(...(g === undefined ? [] : [g]), ...graphs);
    }
  }
  return found;
}

/** The version of an operator set that a model imports. Throws `unsupported-opset` if it imports none. */
export function opsetOf(model: ModelProto, domain = ''): number {
  const same = (name: string) => (name === 'ai.onnx' ? '' : name);
  const found = model.opsetImport.find((entry) => same(entry.domain) === same(domain));
  if (found !== undefined) return Number(found.version);
  return fail(
    'unsupported-opset',
    `Unexpected model without an import of the operator set "${domain || 'ai.onnx'}", expected one. Export the model again.`,
  );
}

function decode(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    if (cause instanceof OnnxError) throw cause;
    // Writers put ir_version first: a file that starts otherwise was never a model.
    const cut = bytes[0] === 0x08 && cause instanceof Error && /EOF|out of range|bounds/i.test(cause.message);
    return cut
      ? fail(
          'truncated',
          'Unexpected end at the model file, expected a whole ONNX model. Copy or download the file again.',
          cause,
        )
      : fail(
          'not-onnx',
          'Unexpected content at the model file, expected an ONNX model. Give an .onnx file.',
          cause,
        );
  }
}
