import { ball, distance, row, rows, stream, take, within } from '@gauntlet/tensor';
import type { Io } from './apply.js';
import { cleanAnswers } from './clean.js';
import type { Certificate, Certified, Certifier, CertifierJob, Proof, WrapperJob } from './defence.js';
import { defend, type Layer, sourceOf } from './defend.js';
import { GauntletError } from './errors.js';
import type { Access, Model, Noise } from './model.js';
import type { Assembled } from './plan.js';

/** What proves things about a system under test: a certifier, or the wrapper that gives its answers. */
export interface Prover extends Pick<Proof<unknown>, 'norms' | 'finds'> {
  readonly id: string;
  /** What its certificates are worth, in words. */
  readonly words: string;
  /**
   * One certificate for each sample of the job, in order.
   *
   * @param noise what the system draws from, if it is random.
   */
  certify(job: Omit<CertifierJob, 'options'>, noise: Noise): Promise<readonly Certificate[]>;
}

/** A certifier with its options. */
export const proverOf = ({ id, certificate }: Certifier, options: unknown): Prover => ({
  id,
  norms: certificate.norms,
  finds: certificate.finds,
  words: certificate.words(options as never),
  certify: (job) => certificate.certify({ ...job, options } as CertifierJob<never>),
});

/**
 * The wrapper of a stack that proves things about its own answers, where these are the system's: nothing but detectors stands before it.
 *
 * @param models as for `defend`.
 */
export function ownProver(
  models: readonly [Model<Access>, ...Model<Access>[]],
  stack: readonly Layer[],
): Prover | null {
  const place = stack.findIndex(({ defence }) => defence.kind !== 'detector');
  const layer = stack[place];
  if (layer?.defence.kind !== 'wrapper' || layer.defence.certificate === undefined) return null;
  const { options } = layer;
  const { id, certificate } = layer.defence;
  const behind = stack.slice(place + 1);
  const inner = behind.length === 0 ? models : ([defend(models, behind)] as const);
  return {
    id,
    norms: certificate.norms,
    finds: certificate.finds,
    words: certificate.words(options as never),
    certify(job, noise) {
      const source = sourceOf(noise, place);
      const own: WrapperJob & CertifierJob = {
        ...job,
        options,
        models: inner.map((one) => one.draw?.(noise) ?? one) as [Model<Access>, ...Model<Access>[]],
        noise: (of) => source(of)(),
      };
      return certificate.certify(own as never);
    },
  };
}

/** The certificates of one batch: the unit of work that is finished or not. */
export interface CertifiedShard {
  readonly key: string;
  readonly certified: readonly Certified[];
}

/** How many shards of certificates a plan has. */
export const certifiedShardCount = (assembled: Assembled): number =>
  Math.ceil(assembled.plan.data.samples / assembled.plan.batchSize) * workOf(assembled).length;

/** One run of a prover on a batch, and the radii whose certificates follow from it. */
interface Work {
  readonly prover: Prover;
  readonly epsilons: readonly number[];
  readonly name: string;
}

function workOf({ plan, provers = [] }: Assembled): Work[] {
  const { epsilons } = plan.threatModel;
  return provers.flatMap((prover) =>
    prover.finds === 'largest'
      ? [{ prover, epsilons, name: prover.id }]
      : epsilons.map((epsilon) => ({ prover, epsilons: [epsilon], name: `${prover.id} ${epsilon}` })),
  );
}

/** Asks for every certificate of a plan, shard by shard, in a fixed order. */
export async function* certify(assembled: Assembled, io: Io): AsyncGenerator<CertifiedShard> {
  const { plan, model, dataset } = assembled;
  const work = workOf(assembled);
  for (let from = 0; from < plan.data.samples; from += plan.batchSize) {
    const open = work
      .map((one) => ({ ...one, key: `${one.name} ${from}` }))
      .filter(({ key }) => !io.done?.(key));
    if (open.length === 0) continue;
    const batch = await dataset.batch(from, Math.min(from + plan.batchSize, plan.data.samples));
    const clean = await cleanAnswers(model, batch, plan.seed);
    io.clean?.set(from, clean);
    const answers = clean.labels;
    for (const one of open) {
      io.signal.throwIfAborted();
      yield { key: one.key, certified: await runShard(assembled, io, { ...one, ...batch, answers }) };
    }
  }
}

type Task = Work &
  Pick<CertifierJob, 'x' | 'answers'> & { readonly ids: Noise['ids']; readonly y: Int32Array };

async function runShard(assembled: Assembled, io: Io, task: Task): Promise<Certified[]> {
  const { plan, model } = assembled;
  const { prover, epsilons, ids, x, y, answers } = task;
  const { norm, box } = plan.threatModel;
  const started = io.now();
  const epsilon = epsilons.at(-1)!;
  const noise = { keys: [plan.seed, 'certify', prover.id, norm, epsilon], ids };
  const random = ids.map((id) => stream(plan.seed, id, prover.id, epsilon));
  const drawn = model.draw?.(noise) ?? model;
  const { signal } = io;
  const job = { model: drawn, x, answers, norm, epsilon, box, random, signal };
  const found = await prover.certify(job, noise);
  await mustBeSound(assembled, { ...task, epsilon }, found);
  const seconds = (io.now() - started) / rows(x);
  return epsilons.flatMap((radius) =>
    ids.map((id, i): Certified => {
      const one = found[i]!;
      return {
        model: plan.model.name,
        certifier: prover.id,
        sample: id,
        norm,
        epsilon: radius,
        label: y[i]!,
        answer: answers[i]!,
        certificate:
          one.outcome === 'broken' ? brokenAt(distance(one.witness, row(x, i), norm), radius) : one,
        seconds,
        seed: plan.seed,
      };
    }),
  );
}

const brokenAt = (far: number, radius: number): Certified['certificate'] =>
  within(far, radius)
    ? { outcome: 'broken', distance: far }
    : { outcome: 'unknown', why: 'a point farther away gets another answer' };

/** Looks at what can be looked at: radii are radii, and a witness lies in ball and box and gets another answer. */
async function mustBeSound(
  { model, plan: { threatModel, seed } }: Assembled,
  { prover, ids, x, y, answers, epsilon }: Task & { readonly epsilon: number },
  found: readonly Certificate[],
): Promise<void> {
  const refuse = (what: string, expected: string) => {
    throw new GauntletError(
      'internal',
      `Unexpected ${what} from ${prover.id}, expected ${expected}. Report it.`,
    );
  };
  if (found.length !== rows(x)) refuse(`${found.length} certificates`, `${rows(x)}, one per sample`);
  const around = ball({ ...threatModel, epsilon, centre: x });
  for (const [i, one] of found.entries()) {
    if (one.outcome === 'robust' && !(one.radius >= 0)) refuse(`radius ${one.radius}`, 'one from 0 upwards');
    if (one.outcome !== 'broken') continue;
    const moved = take(x, [i]);
    moved.data.set(one.witness);
    const batch = { ids: [ids[i]!], x: moved, y: y.slice(i, i + 1) };
    const [answer] = (await cleanAnswers(model, batch, seed)).labels;
    if (!around.contains(one.witness, i) || answer === answers[i])
      refuse('witness', `a point within ${epsilon} of the sample that gets another answer`);
  }
}
