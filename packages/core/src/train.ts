import { stream } from '@gauntlet/tensor';
import { checkShapes, checkValues } from './check-data.js';
import type { Batch } from './dataset.js';
import { unexpected } from './errors.js';
import { maximise } from './evade.js';
import { type Accuracy, measure } from './measure.js';
import { type Samples, shuffled, split } from './samples.js';
import type { Epoch, Trained, TrainingIo, TrainingTask } from './training-task.js';
import type { Stage, Tensors, TrainingJob } from './training.js';

/** Seconds between checkpoints within an epoch. */
const SAVE_EVERY = 60;

/**
 * Trains a model in place: runs a defence, stage by stage, and leaves the weights in the model that do best on samples held out.
 *
 * @throws GauntletError `input` for data that do not fit the model, and for a loss that stops being a number.
 */
export async function train(task: TrainingTask, io: TrainingIo): Promise<Trained> {
  const { model, dataset, batchSize, seed } = task;
  await checkShapes(model, dataset);
  await checkValues(model, dataset, { samples: dataset.samples, batchSize, box: model.input.bounds });
  const { learn, heldOut } = await split(dataset, task.heldOut, seed);
  const course: Course = {
    task,
    io,
    learn,
    heldOut,
    finished: { ...io.resume?.finished },
    epochs: [...(io.resume?.epochs ?? [])],
  };
  const job: TrainingJob = {
    model,
    data: learn,
    options: task.options,
    epsilon: task.threat?.epsilon ?? 0,
    signal: io.signal,
    fit: (stage) => fit(course, stage),
  };
  await task.defence.run(job as TrainingJob<never>);
  // Whatever became of the error in the defence's hands.
  io.signal.throwIfAborted();
  const last = course.epochs.at(-1);
  if (last !== undefined) return { epochs: course.epochs, chosen: best(ofStage(course, last.stage))! };
  throw unexpected({
    found: 'defence that trains nothing',
    at: task.defence.id,
    expected: 'at least one call of fit',
    remedy: 'Call fit in run.',
    code: 'internal',
  });
}

/** One training under way. */
interface Course {
  readonly task: TrainingTask;
  readonly io: TrainingIo;
  readonly learn: Samples;
  readonly heldOut: Samples;
  readonly finished: Record<string, Tensors>;
  readonly epochs: Epoch[];
}

const ofStage = ({ epochs }: Course, stage: string) => epochs.filter((epoch) => epoch.stage === stage);

/** What a model is worth: the worst of clean and robust accuracy, then the clean one. */
const worth = ({ clean, robust }: Accuracy): readonly [number, number] => [
  Math.min(clean, robust ?? clean),
  clean,
];

const better = (a: Accuracy, b: Accuracy): boolean => {
  const [[worstA, cleanA], [worstB, cleanB]] = [worth(a), worth(b)];
  return worstA > worstB || (worstA === worstB && cleanA > cleanB);
};

/** The best epoch; the first of equals. */
const best = (epochs: readonly Epoch[]): Epoch | undefined =>
  epochs.reduce<Epoch | undefined>(
    (so, each) => (so === undefined || better(each, so) ? each : so),
    undefined,
  );

async function fit(course: Course, stage: Stage): Promise<void> {
  const { task, io, finished, epochs } = course;
  const { model } = task;
  const known = finished[stage.name];
  if (known !== undefined && io.resume?.finished[stage.name] !== known) throw repeated(task, stage);
  if (known !== undefined) return model.restore({ weights: known });
  const resumed = io.resume?.stage === stage.name ? io.resume : null;
  if (resumed !== null) await model.restore(resumed.now);
  else if (stage.fresh) await model.initialise(seedOf(task.seed, stage.name));
  else await model.restore({ weights: (await model.state()).weights });

  let chosen = resumed?.best ?? null;
  let begun = { updates: resumed?.updates ?? 0, loss: resumed?.loss ?? 0 };
  const save = async (under: typeof begun) =>
    io.save({ finished, epochs, stage: stage.name, ...under, now: await model.state(), best: chosen });
  for (;;) {
    const own = ofStage(course, stage.name);
    const stalled = own.length - (best(own)?.epoch ?? 0) >= task.patience;
    if (own.length >= task.epochs || stalled) break;
    const loss = await epochOf(course, stage, own.length + 1, begun, save);
    begun = { updates: 0, loss: 0 };
    const accuracy = await measured(course, () => save({ updates: updatesOf(course), loss }));
    const epoch = { stage: stage.name, epoch: own.length + 1, loss: loss / updatesOf(course), ...accuracy };
    epochs.push(epoch);
    if (best([...own, epoch]) === epoch) chosen = (await model.state()).weights;
    io.onEpoch(epoch);
    await save(begun);
  }
  finished[stage.name] = chosen!;
  await model.restore({ weights: chosen! });
}

const repeated = ({ defence }: TrainingTask, { name }: Stage) =>
  unexpected({
    found: `second stage "${name}"`,
    at: defence.id,
    expected: 'a name for each stage',
    remedy: 'Name it otherwise.',
    code: 'internal',
  });

const updatesOf = ({ learn, task }: Course) => Math.ceil(learn.samples / task.batchSize);

/** Learns from every sample once; the sum of the losses of all updates. */
async function epochOf(
  course: Course,
  stage: Stage,
  epoch: number,
  begun: { updates: number; loss: number },
  save: (under: { updates: number; loss: number }) => Promise<void>,
): Promise<number> {
  const { task, io, learn } = course;
  const { model, batchSize, seed } = task;
  const total = updatesOf(course);
  const order = shuffled(learn.samples, seed, stage.name, epoch);
  let { updates, loss } = begun;
  let saved = io.now();
  try {
    for (; updates < total; updates++) {
      io.signal.throwIfAborted();
      const places = order.slice(updates * batchSize, (updates + 1) * batchSize);
      const batch = await learn.at(places);
      const done = (epoch - 1 + updates / total) / task.epochs;
      const craft = (epsilon: number) =>
        crafted(task, batch, epsilon, seedOf(seed, stage.name, epoch), io.signal);
      const lesson = await stage.lesson({ ...batch, places, done, craft });
      const step = await model.update(lesson.x, lesson.loss);
      loss += meanOf(step.loss, task, epoch);
      io.onUpdate((updates + 1) / total);
      if (io.now() - saved < SAVE_EVERY) continue;
      await save({ updates: updates + 1, loss });
      saved = io.now();
    }
    return loss;
  } catch (error) {
    if (io.signal.aborted) await save({ updates, loss });
    throw error;
  }
}

/** A seed for one part of the training. */
const seedOf = (...keys: readonly (string | number)[]) => stream('training', ...keys).integer(2 ** 31);

function meanOf(losses: Float32Array, { defence }: TrainingTask, epoch: number): number {
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  if (Number.isFinite(mean)) return mean;
  throw unexpected({
    found: `loss of ${mean} in epoch ${epoch}`,
    at: defence.id,
    expected: 'a finite one',
    remedy: 'Lower the learning rate.',
  });
}

async function crafted(
  { defence, model, threat }: TrainingTask,
  batch: Batch,
  epsilon: number,
  seed: number,
  signal: AbortSignal,
) {
  if (threat === null) {
    throw unexpected({
      found: 'call of craft',
      at: defence.id,
      expected: 'none by a defence that declares crafts: null',
      remedy: 'Declare the attack.',
      code: 'internal',
    });
  }
  return maximise({
    ...batch,
    attack: threat.attack,
    options: threat.crafting,
    model,
    goal: { kind: 'untargeted', classes: batch.y, confidence: 0 },
    norm: threat.norm,
    epsilon,
    box: model.input.bounds,
    seed,
    signal,
  });
}

async function measured({ task, heldOut, io }: Course, save: () => Promise<void>): Promise<Accuracy> {
  try {
    return await measure(task, heldOut, io.signal);
  } catch (error) {
    if (io.signal.aborted) await save();
    throw error;
  }
}
