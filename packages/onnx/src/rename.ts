import { everyGraph } from './model.js';
import type { GraphProto } from './onnx_pb.js';

/**
 * Gives tensors of a graph other names, in place, in its subgraphs too, and all at once: names may be exchanged. ONNX forbids names
 * that hide outer ones, so every occurrence is meant.
 *
 * @param renamed the new name of each; that of a tensor which stays as it is, or of none (''), is the old one.
 */
export function renameTensors(graph: GraphProto, renamed: (name: string) => string): void {
  for (const { input, output, initializer, sparseInitializer, valueInfo, node } of everyGraph(graph)) {
    const sparse = sparseInitializer.flatMap(({ values }) => values ?? []);
    for (const named of [...input, ...output, ...initializer, ...sparse, ...valueInfo])
      named.name = renamed(named.name);
    for (const each of node) {
      each.input = each.input.map(renamed);
      each.output = each.output.map(renamed);
    }
  }
}
