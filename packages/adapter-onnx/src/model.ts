import {
  checkLoss,
  GauntletError,
  type GradientModel,
  type Loss,
  lossAt,
  type ModelFacts,
  type ModelSettings,
  type OpenModel,
} from '@gauntlet/core';
import type { Lowering } from '@gauntlet/onnx-grad';
import { argmax, rows, type Tensor, tensor, rowSize } from '@gauntlet/tensor';
import { chunks, type Chunk } from './batches.js';
import { lossFeeds } from './feeds.js';
import { buildGradient, type GradientGraph } from './gradient.js';
import type { Prepared } from './prepared.js';
import { createSession, type Feeds, loadRuntime, type Runtime, type Session } from './runtime.js';

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
  const sessions = new Map<string, Promise<readonly [Session, GradientGraph | null]>>();
  let closed = false;

  const session = (key: string, graph: () => GradientGraph | null) => {
    if (closed)
      throw new GauntletError('internal', `Unexpected call of ${name}, expected none after close().`);
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const made = (async () => {
      const built = graph();
      return [
        await createSession(built?.model ?? prepared.model, name, {
          enableMemPattern: !large,
          outside: prepared.outside,
        }),
        built,
      ] as const;
    })();
    sessions.set(key, made);
    return made;
  };

  const large = prepared.sampleBytes >= LARGE;
  const most = (pass: keyof typeof TAKEN) =>
    Math.max(1, Math.floor(memory / (Math.max(1, prepared.sampleBytes) * TAKEN[pass] * (large ? 0.5 : 1))));
  const callSize = (pass: keyof typeof TAKEN) => (prepared.batch === 'any' ? { callSize: most(pass) } : {});
  const facts: ModelFacts = { name, input: { shape: input.shape, bounds }, classes, access: 'scores' };
  const scores = async (points: Tensor): Promise<Tensor> => {
    const [forward] = await session('', () => null);
    const runs = await eachOf(plan(prepared, points, most('forward')), (chunk) =>
      forward.run({ [input.name]: pointsOf(runtime, chunk), ...weights() }, [prepared.scores]),
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
  if (refusal !== null) return { ...facts, ...shared, ...callSize('forward') } satisfies OpenModel<'scores'>;

  const gradient: GradientModel['gradient'] = async (points, loss) => {
    checkLoss(loss, rows(points), facts.classes);
    const [native, graph] = await session(JSON.stringify(loss.term), () =>
      buildGradient(prepared, loss.term, lowering),
    );
    const { loss: lossName, gradient: gradientName } = graph!;
    const names = [prepared.scores, lossName, gradientName];
    const runs = await eachOf(plan(prepared, points, most('backward')), (chunk) =>
      native.run(
        {
          [input.name]: pointsOf(runtime, chunk),
          ...lossFeeds(runtime, graph!, lossOf(loss, chunk)),
          ...weights(),
        },
        names,
      ),
    );
    return {
      scores: tensor(joined(runs, prepared.scores, classes), [rows(points), classes]),
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

/** The loss of a chunk's points; padding repeats the first. */
const lossOf = (loss: Loss, { from, count, points }: Chunk): Loss =>
  lossAt(
    loss,
    Array.from({ length: rows(points) }, (_, i) => from + (i < count ? i : 0)),
  );

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
