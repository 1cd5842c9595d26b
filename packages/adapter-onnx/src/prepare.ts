import { basename } from 'node:path';
import type { ModelSettings, Term } from '@gauntlet/core';
import {
  codeOf,
  type Dim,
  dtypeOf,
  Graph,
  inline,
  isFloat,
  OnnxError,
  readsOf,
  sortNodes,
  type TensorProto,
  upgrade,
  writeModel,
  writeValueInfo,
} from '@gauntlet/onnx';
import { standardise } from './classical.js';
import type { External } from './external.js';
import { buildGradient } from './gradient.js';
import { type Inputs, type InputSettings, takeInputs } from './input.js';
import { legible, legibly } from './legible.js';
import { BATCH, type Prepared } from './prepared.js';
import { mixesSamples, readsLevels } from './quantised.js';
import { atPath, type Read, readModelFile, type ReadSettings } from './read.js';
import { badScores, looseScores, takeScores, withZero } from './scores.js';
import { learnTypes, sized, type Types } from './shapes.js';
import { tidy } from './tidy.js';

/** The loss by which it is found out whether a model has gradients. */
const MARGIN: Term = { op: 'neg', of: { op: 'pick', class: 'own' } };

/** How a model file is made ready. */
export interface PrepareSettings extends InputSettings, ReadSettings {
  /** Whether the float initialisers are kept under their names, so that they can be differentiated by; ONNX Runtime folds them otherwise. */
  readonly keepWeights?: boolean;
}

/**
 * Makes a model file ready to be run and differentiated, in this process: reads it, finds input and scores, folds normalisation in,
 * has ONNX Runtime tidy it, writes loops out, and learns every tensor's type from a run.
 *
 * @param read what `readModelFile` gave, where the file was read already.
 * @throws GauntletError for whatever cannot be used, in one sentence.
 */
export const prepare = (path: string, settings: PrepareSettings, read?: Read): Promise<Prepared> =>
  legibly(prepareFile(path, settings, read));

async function prepareFile(path: string, settings: PrepareSettings, read?: Read): Promise<Prepared> {
  const whole = read ?? (await readModelFile(path, settings));
  const draft = atPath(path, () => draftOf(whole, settings, path));
  const { graph, learnt } = await runDraft(whole, draft, settings, path);
  return atPath(path, () => finish(graph, draft, learnt, path));
}

/** What goes into a model and what comes out, of a file's own graph, which is made to be just that. */
export function draftOf({ model, external }: Read, settings: PrepareSettings, path: string): Draft {
  const graph = new Graph(upgrade(model));
  const own = [...graph.proto.initializer];
  const inputs = takeInputs(graph, settings, path);
  const scores = takeScores(graph, settings.output, path);
  standardise(graph);
  // ONNX Runtime does not say where a cycle is.
  sortNodes(graph.proto);
  const weights = settings.keepWeights === true ? weightsOf(graph, own) : [];
  return { ...inputs, scores, external, weights };
}

/**
 * Has ONNX Runtime tidy a drafted model, writes loops out, and learns every tensor's type from runs.
 *
 * @throws GauntletError where it cannot be run, or gives no scores.
 */
export async function runDraft({ model }: Read, draft: Draft, settings: PrepareSettings, path: string) {
  const tidied = await tidy(model, path, draft.weights);
  const graph = new Graph(atPath(path, () => inline(tidied)));
  return { graph, learnt: await learn(graph, draft, path, settings.bounds) };
}

/** The float initialisers among `own` that nodes compute with; the scales of a Resize only say how. */
function weightsOf({ proto }: Graph, own: readonly TensorProto[]): readonly string[] {
  const read = new Set(
    proto.node.flatMap((node) => (node.opType === 'Resize' ? node.input.slice(0, 1) : readsOf(node))),
  );
  return own.flatMap(({ name, dataType }) =>
    read.has(name) && isFloat(dtypeOf(dataType) ?? 'bool') ? [name] : [],
  );
}

/** What is known of a model before it runs. */
export interface Draft extends Inputs {
  readonly weights: readonly string[];
  readonly scores: string;
  readonly external: External;
}

interface Learnt {
  readonly types: Types;
  readonly batch: number | 'any';
}

/** Runs the model at two batch sizes; if it takes one only, or should be asked so, at the size it declares, or else at one. */
async function learn(
  graph: Graph,
  { input, inputs, scores, external }: Draft,
  path: string,
  bounds: ModelSettings['bounds'],
): Promise<Learnt> {
  const open = mixesSamples(graph) ? [[1]] : [[2, 3], [1]];
  const tries = input.batch === null ? open : [[input.batch]];
  const made = graph.proto.node.flatMap(({ output }) => output).filter((name) => name !== '');
  let failure: unknown;
  for (const batches of tries) {
    // Tensors of other kinds (sequences) have no shape: then at least the scores'.
    for (const names of [made, [scores]]) {
      try {
        const [size] = batches as [number];
        graph.proto.input = inputs.map(({ name, dtype, dims }) =>
          writeValueInfo(name, dtype, batches.length > 1 ? dims : sized(dims, size)),
        );
        const source = { model: writeModel(graph.model), outside: external.outside, at: path };
        const types = await learnTypes(source, names, inputs, batches, bounds);
        const rows = types.get(scores)?.dims[0];
        if (batches.length > 1 && rows === BATCH) return { types, batch: 'any' };
        if (batches.length === 1 && rows === size) return { types, batch: size };
        failure ??= typeof rows === 'string' ? looseScores(graph, types, path) : undefined;
        failure ??= badScores(types.get(scores), path);
        break;
      } catch (error) {
        failure ??= error;
      }
    }
  }
  throw failure;
}

function finish(graph: Graph, draft: Draft, { types, batch }: Learnt, path: string): Prepared {
  const { input, inputs, scores, external, weights } = draft;
  const notices: string[] = [];
  const name = basename(path);
  if (batch !== 'any') {
    const [why, remedy] = mixesSamples(graph)
      ? ['rounds to levels that the largest number of a batch sets', 'Quantise it statically.']
      : [`was exported for batches of ${batch}`, 'Export it with a dynamic batch axis.'];
    notices.push(
      `${name} ${why}: it runs ${batch === 1 ? 'one sample' : `${batch} samples`} at a time, which is slow. ${remedy}`,
    );
  }
  const final = twoAxes(graph, scores, types, path, notices, name);
  const type = types.get(final);
  const classes = type?.dims[1];
  if (type === undefined || typeof classes !== 'number' || classes < 2) throw badScores(type, path);
  const rows: Dim = batch === 'any' ? BATCH : batch;
  graph.proto.output = [writeValueInfo(final, 'float32', [rows, classes])];
  const prepared: Prepared = {
    name,
    files: external.files,
    model: writeModel(graph.model),
    outside: external.outside,
    input: { name: input.name, dtype: input.dtype, shape: input.shape },
    inputs: inputs.map((each) => ({ ...each, ...types.get(each.name)! })),
    weights,
    scores: final,
    classes,
    batch,
    types,
    scoresApart: readsLevels(graph),
    sampleBytes: bytesOf(graph, types, batch),
    refusal: null,
    notices,
  };
  return { ...prepared, refusal: input.dtype === 'string' ? 'Texts have none.' : refusalOf(prepared) };
}

/** Why the model cannot be differentiated; null if it can. */
function refusalOf(prepared: Prepared): string | null {
  try {
    buildGradient(prepared, MARGIN);
    return null;
  } catch (error) {
    if (error instanceof OnnxError) return legible(error.message);
    throw error;
  }
}

/** Scores as [N, classes] float32, whatever they are now; one logit z becomes [0, z]. */
function twoAxes(
  graph: Graph,
  scores: string,
  types: Types,
  path: string,
  notices: string[],
  name: string,
): string {
  const type = types.get(scores);
  const [, ...sizes] = type?.dims ?? [];
  const wide = sizes.filter((size) => size !== 1);
  const [columns = 1] = wide;
  const usable = type !== undefined && isFloat(type.dtype) && wide.length <= 1;
  // A size that follows the batch is no number of classes.
  if (!usable || typeof columns !== 'number' || columns < 1) throw badScores(type, path);
  const [rows] = type.dims as [Dim];
  let at = scores;
  if (type.dims.length !== 2) at = graph.node('Flatten', [at], { axis: 1 });
  types.set(at, { ...type, dims: [rows, columns] });
  if (type.dtype !== 'float32') at = graph.node('Cast', [at], { to: codeOf('float32') });
  types.set(at, { dtype: 'float32', dims: [rows, columns] });
  if (columns > 1) return at;
  at = withZero(graph, at);
  types.set(at, { dtype: 'float32', dims: [rows, 2] });
  notices.push(`${name} has one output, which is read as the logit of class 1; that of class 0 is 0.`);
  return at;
}

/** How many bytes the tensors that nodes make take per sample. */
function bytesOf(graph: Graph, types: Types, batch: number | 'any'): number {
  const made = graph.proto.node.flatMap(({ output }) => output.map((name) => types.get(name)?.dims ?? []));
  const numbers = made.reduce(
    (sum, dims) => sum + dims.reduce<number>((size, dim) => size * sizeOf(dim), 1),
    0,
  );
  return (4 * numbers) / (batch === 'any' ? 1 : batch);
}

/** A size at a batch of one: `12*N` is 12. */
const sizeOf = (dim: Dim): number => (typeof dim === 'number' ? dim : Number.parseInt(dim, 10) || 1);
