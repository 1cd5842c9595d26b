import { argmax, put, rows, stream, take, type Tensor } from '@gauntlet/tensor';
import { isClass } from './check-data.js';
import type { Dataset } from './dataset.js';
import { unexpected } from './errors.js';
import type { Model } from './model.js';
import type { Poisoning, PoisoningJob, TriggerJob } from './poisoning.js';
import { reader, shuffled } from './samples.js';
import { train } from './train.js';
import type { TrainingIo, TrainingTask } from './training-task.js';

/** A poisoning attack, its options, and what it is run on. */
export interface PoisoningTask {
  readonly attack: Poisoning;
  /** Validated by the attack's schema. */
  readonly options: unknown;
  /** Which share of the samples the attacker may change, from 0 to 1; which ones, is drawn. */
  readonly share: number;
  /** The class that the attacker wants; null where any wrong answer will do. */
  readonly target: number | null;
  /** The training of the victim, who knows nothing of it: what is held out there is poisoned as well. */
  readonly training: TrainingTask;
  /** Clean samples on which the trained model is asked. */
  readonly test: Dataset;
}

/** What a model that was trained on poison answers to one clean sample. */
export interface PoisonRow {
  readonly model: string;
  readonly attack: string;
  readonly share: number;
  readonly target: number | null;
  readonly sample: number | string;
  readonly label: number;
  /** ABSTAIN where it gives none. */
  readonly answer: number;
  /** Its answer where the trigger is on the sample; null for an attack that has none. */
  readonly triggered: number | null;
  readonly seed: number;
}

/**
 * Trains a model, in place, on data of which an attacker changed a share, and asks it.
 *
 * @throws GauntletError `internal` for an attack that gives back other than it may, and whatever `train` throws.
 */
export async function poison(task: PoisoningTask, io: TrainingIo): Promise<readonly PoisonRow[]> {
  const { training } = task;
  await train({ ...training, dataset: await poisoned(training.dataset, task) }, io);
  return aftermath(task);
}

/** A poisoning attack, and the model and seed of the training that it is aimed at. */
export type Attacker = Pick<PoisoningTask, 'attack' | 'options' | 'share' | 'target'> & {
  readonly training: Pick<TrainingTask, 'model' | 'seed'>;
};

/** A data set with the attacker's samples in place of those that were drawn for it. */
export async function poisoned(dataset: Dataset, attacker: Attacker): Promise<Dataset> {
  const { attack, options, share, target, training } = attacker;
  const { input, classes } = training.model;
  const count = Math.round(share * dataset.samples);
  if (count === 0) return dataset;
  const places = shuffled(dataset.samples, training.seed, 'poison').slice(0, count);
  const { ids, x, y } = await (await reader(dataset))(places);
  const random = ids.map((id) => stream('poison', training.seed, attack.id, id));
  const job: PoisoningJob = { x, y, input, classes, target, options, random };
  const changed = await attack.poison(job as PoisoningJob<never>);
  mustFit(attack, x, changed, training);
  const own = new Map(places.map((place, k) => [place, k]));
  const { name, fingerprint, shape, samples } = dataset;
  return {
    ...{ name, shape, samples },
    fingerprint: `${fingerprint} poisoned by ${attack.id}, ${count} samples, seed ${training.seed}`,
    async batch(from, to) {
      const clean = await dataset.batch(from, to);
      const hit = [...clean.y.keys()].filter((i) => own.has(from + i));
      const theirs = hit.map((i) => own.get(from + i)!);
      const labels = clean.y.slice();
      hit.forEach((i, k) => (labels[i] = changed.y[theirs[k]!]!));
      return { ...clean, x: put(clean.x, hit, take(changed.x, theirs)), y: labels };
    },
  };
}

function mustFit(
  { id }: Poisoning,
  before: Tensor,
  { x, y }: Awaited<ReturnType<Poisoning['poison']>>,
  { model }: Attacker['training'],
): void {
  const [lo, hi] = model.input.bounds.map(Math.fround) as [number, number];
  const found =
    String(x.shape) !== String(before.shape) || y.length !== rows(before)
      ? `${y.length} labels of inputs of shape [${x.shape}]`
      : !x.data.every((value) => value >= lo && value <= hi)
        ? 'inputs outside the box'
        : !y.every((label) => isClass(label, model.classes))
          ? 'labels that are no classes'
          : undefined;
  if (found === undefined) return;
  throw unexpected({
    found,
    at: id,
    expected: `inputs of shape [${before.shape}] in [${lo}, ${hi}], and a class for each`,
    remedy: 'Give back as many samples as were handed over.',
    code: 'internal',
  });
}

const BATCH = 500;

/** Asks a trained model about clean samples, and about the same with the trigger. */
export async function aftermath(task: Attacker & Pick<PoisoningTask, 'test'>): Promise<readonly PoisonRow[]> {
  const { attack, options, share, target, training, test } = task;
  const model: Model = training.model;
  const found: PoisonRow[] = [];
  for (let from = 0; from < test.samples; from += BATCH) {
    const { ids, x, y } = await test.batch(from, Math.min(from + BATCH, test.samples));
    const job: TriggerJob = { x, input: model.input, options };
    const marked = await attack.trigger?.(job as TriggerJob<never>);
    const answers = argmax(await model.scores(x));
    const triggered = marked === undefined ? null : argmax(await model.scores(marked));
    ids.forEach((sample, i) =>
      found.push({
        ...{ model: model.name, attack: attack.id, share, target, sample },
        ...{ label: y[i]!, answer: answers[i]!, triggered: triggered?.[i] ?? null, seed: training.seed },
      }),
    );
  }
  return found;
}

/** The share of samples that are answered rightly without the trigger. */
export const accuracyOf = (found: readonly PoisonRow[]): number =>
  shareOf(found, ({ answer, label }) => answer === label);

/** Of the samples of other classes, the share that the trigger turns into the target. */
export const triggeredOf = (found: readonly PoisonRow[]): number =>
  shareOf(
    found.filter(({ label, target }) => label !== target),
    ({ triggered, target }) => triggered === target,
  );

const shareOf = (found: readonly PoisonRow[], holds: (row: PoisonRow) => boolean) =>
  found.filter(holds).length / found.length;
