import { nodePath } from '@gauntlet/onnx';
import { draftOf, type PrepareSettings, runDraft } from './prepare.js';
import { atPath, type Read } from './read.js';
import { untyped } from './untyped.js';

/**
 * Runs the first nodes of what `prepare` would run as that does, and ignores what they compute: for a search for what takes the process
 * down.
 *
 * @returns the paths of all nodes, in the order in which they run.
 * @throws GauntletError where they cannot be run, or no scores are among what they make.
 */
export async function runFirst(
  path: string,
  settings: PrepareSettings,
  read: Read,
  count: number,
): Promise<readonly string[]> {
  const draft = atPath(path, () => draftOf(read, settings, path));
  const graph = read.model.graph!;
  const paths = graph.node.map(nodePath);
  graph.node.splice(count);
  graph.output = graph.node.flatMap(({ output }) => output.filter((name) => name !== '').map(untyped));
  if (count > 0) await runDraft(read, draft, settings, path);
  return paths;
}
