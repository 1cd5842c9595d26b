import {
  checkLoss,
  GauntletError,
  type GradientModel,
  lossAt,
  type ModelFacts,
  type ModelSettings,
  type OpenModel,
} from '@gauntlet/core';
import { type ModelProto, readModel } from '@gauntlet/onnx';
import type { Lowering } from '@gauntlet/onnx-grad';
import { argmax, rows, type Tensor, tensor, rowSize } from '@gauntlet/tensor';
import { chunks, type Chunk } from './batches.js';
import { lossFeeds } from './feeds.js';
import { buildBounds } from './bounds.js';
import { buildGradient } from './gradient.js';
import type { Prepared } from './prepared.js';
import {
  createSession,
  type Feeds,
  loadRuntime,
  type Runtime,
  type Session,
  type SessionSettings,
} from './runtime.js';

/** At most this many bytes are planned for one run, unless the settings say otherwise. */
const MEMORY = 2e9;

/**
 * From so many bytes per sample on, ONNX Runtime is not asked to lay a run's tensors out in one block: that halves what ResNet-50
 * takes, and costs nothing where a call takes milliseconds.
 */
const LARGE = 2 ** 20;

/** What a run takes, in units of all the tensors of a forward pass: as measured, and at most. */
const TAKEN = { forward: 1.5, backward: 3 } as const;

/** How a prepared model is run. */
export interface RunSettings extends Pick<ModelSettings, 'bounds' | 'memory'> {
  readonly lowering?: Lowering;
  /** What every run is fed besides: the present weights of a model that takes them as inputs. */
  readonly weights?: () => Feeds;
}

/** Serves a prepared model until it is closed. Sessions are made when they are first needed, one for each loss term. */
export async function serve(
  prepared: Prepared,
  { bounds, lowering, memory = MEMORY, weights = () => ({}) }: RunSettings,
): Promise<OpenModel<'gradients'> | OpenModel<'scores'>> {
  const { name, input, classes, refusal } = prepared;
  const runtime = await loadRuntime();
  const sessions = new Map<string, Promise<readonly [Session, unknown]>>();
  let closed = false;

  const session = <G extends { readonly model: ModelProto }>(
    key: string,
    graph: () => G,
    options: SessionSettings = {},
  ) => {
    if (closed)
      throw new GauntletError('internal', `Unexpected call of ${name}, expected none after close().`);
    const known = sessions.get(key) as Promise<readonly [Session, Omit<G, 'model'>]> | undefined;
    if (known !== undefined) return known;
    const made = (async () => {
      // The bytes of a graph are not kept beside its session.
      const { model, ...built } = graph();
      const { outside } = prepared;
      const settings = { enableMemPattern: !large, outside, ...options };
      return [await createSession(model, name, settings), built] as const;
    })();
    sessions.set(key, made);
    return made;
  };

  const large = prepared.sampleBytes >= LARGE;
  const most = (pass: keyof typeof TAKEN) =>
    Math.max(1, Math.floor(memory / (Math.max(1, prepared.sampleBytes) * TAKEN[pass] * (large ? 0.5 : 1))));
  const callSize = (pass: keyof typeof TAKEN) => (prepared.batch === 'any' ? { callSize: most(pass) } : {});
  const facts: ModelFacts = { name, input: { shape: input.shape, bounds }, classes, access: 'scores' };
  const scoresOf = (runs: readonly Run[], points: Tensor) =>
    tensor(joined(runs, prepared.scores, classes), [rows(points), classes]);
  const scores = async (points: Tensor): Promise<Tensor> => {
    const [forward] = await session('', () => ({ model: readModel(prepared.model) }));
    const runs = await eachOf(plan(prepared, points, most('forward')), (chunk) =>
      forward.run({ [input.name]: pointsOf(runtime, chunk), ...weights() }, [prepared.scores]),
    );
    return scoresOf(runs, points);
  };
  const leastLeads = async (lower: Tensor, upper: Tensor, own: Int32Array): Promise<Tensor> => {
    // As it is written: a fused or folded node would round where the bounds do not expect it.
    const [native, graph] = await session('leads', () => buildBounds(prepared), {
      graphOptimizationLevel: 'disabled',
    });
    const above = plan(prepared, upper, most('backward'));
    const runs = await eachOf(plan(prepared, lower, most('backward')), (chunk, k) =>
      native.run(
        {
          [graph.lower]: pointsOf(runtime, chunk),
          [graph.upper]: pointsOf(runtime, above[k]!),
          [graph.own]: classesOf(runtime, own, chunk),
          ...weights(),
        },
        [graph.leads],
      ),
    );
    return tensor(joined(runs, graph.leads, classes), [rows(lower), classes]);
  };
  const shared = {
    leastLeads,
    labels: async (points: Tensor) => argmax(await scores(points)),
    scores: (points: Tensor) => scores(points),
    async close() {
      closed = true;
      const open = await Promise.allSettled(sessions.values());
      sessions.clear();
      for (const made of open) if (made.status === 'fulfilled') await made.value[0].release();
    },
  };
  if (refusal !== null) return { ...facts, ...shared, ...callSize('forward') } satisfies OpenModel<'scores'>;

  const gradient: GradientModel['gradient'] = async (points, loss) => {
    checkLoss(loss, rows(points), facts.classes);
    const [native, graph] = await session(JSON.stringify(loss.term), () =>
      buildGradient(prepared, loss.term, lowering),
    );
    const { loss: lossName, gradient: gradientName } = graph;
    const beside = prepared.scoresApart ? [] : [prepared.scores];
    const names = [...beside, lossName, gradientName];
    const runs = await eachOf(plan(prepared, points, most('backward')), (chunk) =>
      native.run(
        {
          [input.name]: pointsOf(runtime, chunk),
          ...lossFeeds(runtime, graph, lossAt(loss, placesOf(chunk))),
          ...weights(),
        },
        names,
      ),
    );
    return {
      scores: prepared.scoresApart ? await scores(points) : scoresOf(runs, points),
      loss: joined(runs, lossName, 1),
      gradient: tensor(joined(runs, gradientName, rowSize(points)), points.shape),
    };
  };
  return { ...facts, ...shared, ...callSize('backward'), access: 'gradients', gradient };
}

/** The runs that a batch is cut into. */
function plan(prepared: Prepared, points: Tensor, most: number): Chunk[] {
  const { batch, input, name } = prepared;
  const [, ...shape] = points.shape;
  if (shape.length !== input.shape.length || shape.some((size, axis) => size !== input.shape[axis])) {
    throw new GauntletError(
      'input',
      `Unexpected samples of shape [${shape}] at ${name}, expected [${input.shape}]. Reshape the data, or use another model.`,
    );
  }
  return chunks(points, batch === 'any' ? most : batch, batch !== 'any');
}

const pointsOf = ({ Tensor }: Runtime, { points }: Chunk) => new Tensor('float32', points.data, points.shape);

/** The places of a chunk's points in the batch; padding repeats the first. */
const placesOf = ({ from, count, points }: Chunk): number[] =>
  Array.from({ length: rows(points) }, (_, i) => from + (i < count ? i : 0));

const classesOf = ({ Tensor }: Runtime, classes: Int32Array, chunk: Chunk) => {
  const own = BigInt64Array.from(placesOf(chunk), (place) => BigInt(classes[place]!));
  return new Tensor('int64', own, [own.length]);
};

/** A chunk and what its run gave. */
type Run = readonly [Chunk, Feeds];

async function eachOf(
  parts: readonly Chunk[],
  run: (chunk: Chunk, k: number) => Promise<Feeds>,
): Promise<Run[]> {
  const runs: Run[] = [];
  for (const [k, part] of parts.entries()) runs.push([part, await run(part, k)]);
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
