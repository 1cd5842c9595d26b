import type { Dataset } from './dataset.js';
import type { UpdateJob } from './poisoning.js';
import { aftermath, poisoned, type PoisoningTask, type PoisonRow } from './poison.js';
import { train } from './train.js';
import type { TrainingIo, TrainingTask } from './training-task.js';
import type { Tensors } from './training.js';

/** A federated training, and an attack by one of its clients. */
export interface FederationTask extends Omit<PoisoningTask, 'training'> {
  /** What every client does in every round, on samples of its own, from the weights that the server sent. */
  readonly training: Omit<TrainingTask, 'dataset'>;
  /** The samples of each client. The first client is the attacker. */
  readonly clients: readonly Dataset[];
  readonly rounds: number;
  /** The rounds in which the attacker does not train as the others do, counted from 1. */
  readonly attacked: readonly number[];
}

/** One round: what the model of the server answers after it. */
export interface Round {
  readonly round: number;
  readonly rows: readonly PoisonRow[];
}

/**
 * Federated averaging (McMahan et al. 2017) with clients that all take part and count alike: in each round every client trains a copy of the
 * server's model, and the mean of their weights is the next one. It begins with the weights that the model has, and leaves the last ones in it.
 */
export async function* federate(
  task: FederationTask,
  io: Pick<TrainingIo, 'signal' | 'now'>,
): AsyncGenerator<Round> {
  const { attack, options, clients, training, rounds } = task;
  const { model } = training;
  for (let round = 1; round <= rounds; round++) {
    const { weights: global } = await model.state();
    const sent: Tensors[] = [];
    for (const [client, dataset] of clients.entries()) {
      const attacks = client === 0 && task.attacked.includes(round);
      await model.restore({ weights: global });
      await train(
        {
          ...training,
          dataset: attacks ? await poisoned(dataset, task) : dataset,
          seed: training.seed + round,
        },
        { ...io, ...SILENT },
      );
      const { weights: trained } = await model.state();
      const job: UpdateJob = { global, trained, clients: clients.length, options };
      sent.push((attacks && (await attack.update?.(job as UpdateJob<never>))) || trained);
    }
    await model.restore({ weights: meanOf(sent) });
    yield { round, rows: await aftermath(task) };
  }
}

const SILENT = {
  resume: null,
  save: async () => undefined,
  onEpoch: () => undefined,
  onUpdate: () => undefined,
} as const;

/** The mean of each weight, added up in float64. */
function meanOf(all: readonly Tensors[]): Tensors {
  const mean = (name: string) => {
    const [first, ...others] = all.map((weights) => weights[name]!);
    const data = first!.data.map(
      (value, i) => others.reduce((sum, { data: other }) => sum + other[i]!, value) / all.length,
    );
    return { ...first!, data };
  };
  return Object.fromEntries(Object.keys(all[0]!).map((name) => [name, mean(name)]));
}
