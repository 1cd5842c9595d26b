import fc from 'fast-check';

import type { OnnxErrorCode } from './index.js';
import { copyModel, Graph, opsetOf, OnnxError, readModel, writeModel } from './index.js';

const small = () => {
  const graph = Graph.empty(18);
  const x = graph.input('x', 'float32', ['N', 2]);
  graph.output(graph.node('Relu', [x]), 'float32', ['N', 2]);
  return graph.model;
};

const codeOf = (run: () => unknown): OnnxErrorCode | undefined => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(OnnxError);
    expect((error as OnnxError).message).toMatch(/^Unexpected .*, expected .*\. [A-Z][^\n]*\.$/);
    return (error as OnnxError).code;
  }
  return undefined;
};

test('a model survives writing and reading', () => {
  const bytes = writeModel(small());
  expect(writeModel(readModel(bytes))).toEqual(bytes);
});

test('fields of a later format survive', () => {
  const later = new Uint8Array([...writeModel(small()), 0xf2, 0x3f, 3, 1, 2, 3]); // field 1022, three bytes
  expect(writeModel(readModel(later))).toEqual(later);
});

test.each<[string, Uint8Array, OnnxErrorCode]>([
  ['text', new TextEncoder().encode('{"not": "onnx"}'), 'not-onnx'],
  ['nothing', new Uint8Array(), 'not-onnx'],
  ['a cut file', writeModel(small()).slice(0, -3), 'truncated'],
  ['a graph without nodes', writeModel(Graph.empty(18).model), 'empty-graph'],
])('%s is refused in one sentence', (_, bytes, code) => {
  expect(codeOf(() => readModel(bytes))).toBe(code);
});

test('arbitrary bytes are a model or an OnnxError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      codeOf(() => readModel(bytes));
    }),
    { numRuns: 2000 },
  );
});

test('the standard operator set has two names', () => {
  const model = small();
  model.opsetImport[0]!.domain = 'ai.onnx';
  expect(opsetOf(model)).toBe(18);
  expect(codeOf(() => opsetOf(model, 'com.microsoft'))).toBe('unsupported-opset');
});

test('a copy can be changed alone', () => {
  const model = small();
  copyModel(model).graph!.node.pop();
  expect(model.graph!.node).toHaveLength(1);
});
