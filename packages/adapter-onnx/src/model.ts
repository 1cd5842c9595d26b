import {
  GauntletError,
  type GradientModel,
  type Loss,
  type ModelFacts,
  type ModelSettings,
  type OpenModel,
  type ScoreModel,
} from '@gauntlet/core';
import type { Lowering } from '@gauntlet/onnx-grad';
import { argmax, rows, type Tensor, tensor, rowSize } from '@gauntlet/tensor';
import { chunks, type Chunk } from './batches.js';
import { buildGradient, type GradientGraph } from './gradient.js';
import type { Prepared } from './prepared.js';
import { createSession, type Feeds, loadRuntime, type Runtime, type Session } from './runtime.js';

/** At most this much memory is planned for one run. */
const MEMORY = 2 ** 30;

/** A backward pass holds about as many tensors again as the forward pass, and masks. */
const BACKWARD = 3;

/** How a prepared model is run. */
export interface RunSettings extends Pick<ModelSettings, 'bounds'> {
  readonly lowering?: Lowering;
}

/** Serves a prepared model until it is closed. Sessions are made when they are first needed, one for each loss term. */
export async function serve(
  prepared: Prepared,
  { bounds, lowering }: RunSettings,
): Promise<OpenModel<'gradients'> | OpenModel<'scores'>> {
  const { name, input, classes, refusal } = prepared;
  const runtime = await loadRuntime();
  const sessions = new Map<string, Promise<readonly [Session, GradientGraph | null]>>();
  let closed = false;

  const session = (key: string, graph: () => GradientGraph | null) => {
    if (closed)
      throw new GauntletError('internal', `Unexpected call of ${name}, expected none after close().`);
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const made = (async () => {
      const built = graph();
      return [await createSession(built?.model ?? prepared.model, name), built] as const;
    })();
    sessions.set(key, made);
    return made;
  };

  const facts: ModelFacts = { name, input: { shape: input.shape, bounds }, classes, access: 'scores' };
  const scores = async (points: Tensor): Promise<Tensor> => {
    const [forward] = await session('', () => null);
    const runs = await eachOf(plan(prepared, points, 1), (chunk) =>
      forward.run({ [input.name]: pointsOf(runtime, chunk) }, [prepared.scores]),
    );
    return tensor(joined(runs, prepared.scores, classes), [rows(points), classes]);
  };
  const shared = {
    labels: async (points: Tensor) => argmax(await scores(points)),
    scores: (points: Tensor) => scores(points),
    async close() {
      closed = true;
      const open = await Promise.allSettled(sessions.values());
      sessions.clear();
      for (const made of open) if (made.status === 'fulfilled') await made.value[0].release();
    },
  };
  if (refusal !== null) return { ...facts, ...shared } satisfies ScoreModel & { close(): Promise<void> };

  const gradient: GradientModel['gradient'] = async (points, loss, at) => {
    const [native, graph] = await session(JSON.stringify(loss.term), () =>
      buildGradient(prepared, loss.term, lowering),
    );
    const { loss: lossName, gradient: gradientName } = graph!;
    const names = [prepared.scores, lossName, gradientName];
    const runs = await eachOf(plan(prepared, points, BACKWARD), (chunk) =>
      native.run(
        { [input.name]: pointsOf(runtime, chunk), ...lossFeeds(runtime, graph!, loss, chunk, at?.of) },
        names,
      ),
    );
    return {
      scores: tensor(joined(runs, prepared.scores, classes), [rows(points), classes]),
      loss: joined(runs, lossName, 1),
      gradient: tensor(joined(runs, gradientName, rowSize(points)), points.shape),
    };
  };
  return { ...facts, ...shared, access: 'gradients', gradient };
}

/** The runs that a batch is cut into. */
function plan(prepared: Prepared, points: Tensor, passes: number): Chunk[] {
  const { batch, sampleBytes, input, name } = prepared;
  const [, ...shape] = points.shape;
  if (shape.length !== input.shape.length || shape.some((size, axis) => size !== input.shape[axis])) {
    throw new GauntletError(
      'input',
      `Unexpected samples of shape [${shape}] at ${name}, expected [${input.shape}]. Reshape the data, or use another model.`,
    );
  }
  const most = batch === 'any' ? Math.max(1, Math.floor(MEMORY / Math.max(1, sampleBytes * passes))) : batch;
  return chunks(points, most, batch !== 'any');
}

const pointsOf = ({ Tensor }: Runtime, { points }: Chunk) => new Tensor('float32', points.data, points.shape);

/** A chunk and what its run gave. */
type Run = readonly [Chunk, Feeds];

async function eachOf(parts: readonly Chunk[], run: (chunk: Chunk) => Promise<Feeds>): Promise<Run[]> {
  const runs: Run[] = [];
  for (const part of parts) runs.push([part, await run(part)]);
  return runs;
}

/** One output of all runs, without padding. The output of a single run is handed on as it is: copies cost as much as small models. */
function joined(runs: readonly Run[], name: string, size: number): Float32Array {
  const parts = runs.map(([{ count }, outputs]) => {
    const data = outputs[name]!.data as Float32Array;
    return data.length === count * size ? data : data.subarray(0, count * size);
  });
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The per-sample classes and numbers of a chunk's points; padding repeats the first. */
function lossFeeds(
  { Tensor }: Runtime,
  graph: GradientGraph,
  loss: Loss,
  chunk: Chunk,
  of?: readonly number[],
): Feeds {
  const { from, count, points } = chunk;
  const size = rows(points);
  const sample = (i: number) => {
    const point = from + (i < count ? i : 0);
    return of?.[point] ?? point;
  };
  const feeds: Record<string, Feeds[string]> = {};
  for (const [name, input] of graph.classes) {
    const classes = named(loss.classes, name);
    feeds[input] = new Tensor(
      'int64',
      BigInt64Array.from({ length: size }, (_, i) => BigInt(classes[sample(i)]!)),
      [size],
    );
  }
  for (const [name, input] of graph.given) {
    const given = named(loss.given, name);
    feeds[input] = new Tensor(
      'float32',
      Float32Array.from({ length: size }, (_, i) => given[sample(i)]!),
      [size],
    );
  }
  return feeds;
}

/** The per-sample values that a term names. */
function named<T>(values: Readonly<Record<string, T>>, name: string): T {
  const found = values[name];
  if (found !== undefined) return found;
  const message = `Unexpected loss without values for "${name}", expected one per sample. Hand them over with the term.`;
  throw new GauntletError('internal', message);
}
