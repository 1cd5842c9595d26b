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
    const found = new Float32Array(rows(points) * classes);
    for (const chunk of plan(prepared, points, 1)) {
      const feeds = { [input.name]: pointsOf(runtime, chunk) };
      const outputs = await forward.run(feeds, [prepared.scores]);
      keep(found, classes, chunk, outputs[prepared.scores]);
    }
    return tensor(found, [rows(points), classes]);
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
    const count = rows(points);
    const result = {
      scores: new Float32Array(count * classes),
      loss: new Float32Array(count),
      gradient: new Float32Array(points.data.length),
    };
    for (const chunk of plan(prepared, points, BACKWARD)) {
      const feeds = {
        [input.name]: pointsOf(runtime, chunk),
        ...lossFeeds(runtime, graph!, loss, chunk, at?.of),
      };
      const outputs = await native.run(feeds, names);
      keep(result.scores, classes, chunk, outputs[prepared.scores]);
      keep(result.loss, 1, chunk, outputs[lossName]);
      keep(result.gradient, rowSize(points), chunk, outputs[gradientName]);
    }
    return {
      scores: tensor(result.scores, [count, classes]),
      loss: result.loss,
      gradient: tensor(result.gradient, points.shape),
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

/** Copies a run's output to where its chunk stands, without padding. */
function keep(
  into: Float32Array,
  size: number,
  { from, count }: Chunk,
  output: Feeds[string] | undefined,
): void {
  const data = output!.data as Float32Array;
  into.set(data.length === count * size ? data : data.subarray(0, count * size), from * size);
  output!.dispose();
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
    const classes = loss.classes[name]!;
    feeds[input] = new Tensor(
      'int64',
      BigInt64Array.from({ length: size }, (_, i) => BigInt(classes[sample(i)]!)),
      [size],
    );
  }
  for (const [name, input] of graph.given) {
    const given = loss.given[name]!;
    feeds[input] = new Tensor(
      'float32',
      Float32Array.from({ length: size }, (_, i) => given[sample(i)]!),
      [size],
    );
  }
  return feeds;
}
