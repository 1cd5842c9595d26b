import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dim, type DType, Graph, writeModel, writeValueInfo } from '@gauntlet/onnx';

/** A folder for one test file's models. */
export interface Folder {
  readonly path: string;
  /** Writes a model that `build` fills, and gives its path. */
  model(build: (graph: Graph) => void, opset?: number): string;
  /** Writes bytes or text, and gives their path. */
  file(name: string, content: Uint8Array | string): string;
  remove(): void;
}

/** Makes a folder for models. */
export function temporary(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'gauntlet-test-'));
  let count = 0;
  const file = (name: string, content: Uint8Array | string) => {
    writeFileSync(join(path, name), content);
    return join(path, name);
  };
  return {
    path,
    file,
    model(build, opset = 18) {
      const graph = Graph.empty(opset);
      build(graph);
      return file(`model-${count++}.onnx`, writeModel(graph.model));
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** A float32 constant. */
export const floats = (graph: Graph, dims: readonly number[], values: readonly number[]) =>
  graph.constant({ dtype: 'float32', dims, data: Float32Array.from(values) });

/** A model of one chain: input `x`, the nodes that `body` appends, and what it returns as the output `y`. */
export function chain(
  dims: readonly Dim[],
  body: (graph: Graph, x: string) => string,
  { dtype = 'float32', output }: { dtype?: DType; output?: readonly Dim[] } = {},
) {
  return (graph: Graph) => {
    const made = body(graph, graph.input('x', dtype, dims));
    graph.node('Identity', [made], {}, { outputs: ['y'] });
    graph.output('y', dtype, output);
  };
}

/** A tensor that goes into a subgraph or comes out: of floats of any shape, or a scalar. */
export type InnerPort = readonly [name: string, dtype: 'int64' | 'bool' | 'float32'];

/** A subgraph, as an attribute. */
export function subgraph(inputs: readonly InnerPort[], build: (graph: Graph) => readonly InnerPort[]) {
  const graph = Graph.empty(18);
  const info = ([name, dtype]: InnerPort) =>
    writeValueInfo(name, dtype, dtype === 'float32' ? undefined : []);
  graph.proto.input = inputs.map(info);
  graph.proto.output = build(graph).map(info);
  return { graph: graph.proto };
}

/** The body of a Loop that makes `next` of its state, as long as it is told to go. */
export const loopBody = (next: (graph: Graph, state: string) => string) =>
  subgraph(
    [
      ['round', 'int64'],
      ['go', 'bool'],
      ['state', 'float32'],
    ],
    (inner) => [
      [inner.node('Identity', ['go'], {}, { outputs: ['on'] }), 'bool'],
      [next(inner, 'state'), 'float32'],
    ],
  );
