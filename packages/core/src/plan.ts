import type { Evasion } from './attack.js';
import { checkShapes, checkValues, isClass } from './check-data.js';
import type { Dataset } from './dataset.js';
import type { Backward } from './defence.js';
import { GauntletError, isGauntletError, unexpected } from './errors.js';
import { type Access, allows, type Model } from './model.js';
import { parseOptions } from './schema.js';
import type { ThreatModel } from './threat.js';

/** What to run, as printable data: two equal plans on the same files give the same rows. */
export interface Plan {
  readonly model: { readonly name: string; readonly sha256: string };
  readonly data: { readonly name: string; readonly fingerprint: string; readonly samples: number };
  readonly threatModel: ThreatModel;
  /** What stands before the model, by id, with the options that differ from their defaults: the first sees inputs first. */
  readonly defences?: readonly PlannedDefence[];
  /** Attacks by id, with the options that differ from their defaults. */
  readonly attacks: readonly PlannedAttack[];
  readonly restarts: number;
  readonly batchSize: number;
  readonly seed: number;
}

/** A defence of a plan. */
export interface PlannedDefence {
  readonly use: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly backward: Backward;
  /** Above which suspicion a detector turns inputs away. */
  readonly threshold?: number;
  /** Hashes of the models beside the first, of a defence that takes several. */
  readonly members?: readonly string[];
}

/** An attack of a plan. */
export interface PlannedAttack {
  readonly use: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What it is run on, where that is not the system under test; its last points are then tried on that. */
  readonly on?: Surrogate;
}

/**
 * A part of the system under test that gradients pass: the model without its defences, or with those of them that let gradients through.
 */
export type Surrogate = 'undefended' | 'open';

/** A plan that was checked against what it will run on. */
export interface Assembled {
  readonly plan: Plan;
  /** The system under test. */
  readonly model: Model<Access>;
  readonly surrogates?: Readonly<Partial<Record<Surrogate, Model<Access>>>>;
  readonly dataset: Dataset;
  readonly steps: readonly Step[];
}

/** One attack of a plan, with all its options. */
export interface Step {
  readonly attack: Evasion;
  readonly options: Readonly<Record<string, unknown>>;
  readonly on?: Surrogate;
}

/**
 * Checks a plan against its model, data and attacks.
 *
 * @param attack the installed attack of an id.
 * @throws GauntletError `input` that names all problems at once.
 */
export async function assemble(
  plan: Plan,
  parts: Pick<Assembled, 'model' | 'dataset' | 'surrogates'> & {
    attack: (id: string) => Evasion | undefined;
  },
): Promise<Assembled> {
  const { model, dataset } = parts;
  const steps = plan.attacks.map(async ({ use, options, on }): Promise<Step> => {
    const attack = parts.attack(use);
    if (attack === undefined) throw notInstalled(use);
    mustFit(attack, plan.threatModel, (on && parts.surrogates?.[on]) ?? model);
    const all = (await parseOptions(attack.options, options, use)) as Step['options'];
    return { attack, options: all, ...(on && { on }) };
  });
  const checks = [checkThreat(plan.threatModel, model), checkShapes(model, dataset), ...steps];
  const problems = (await Promise.allSettled(checks)).flatMap((check) =>
    check.status === 'rejected' ? [check.reason as unknown] : [],
  );
  const foreign = problems.find((problem) => !isGauntletError(problem));
  if (foreign !== undefined) throw foreign;
  if (problems.length === 1) throw problems[0];
  if (problems.length > 1) {
    throw new GauntletError('input', problems.map((problem) => (problem as Error).message).join('\n'));
  }
  const surrogates = parts.surrogates && { surrogates: parts.surrogates };
  return { plan, model, ...surrogates, dataset, steps: await Promise.all(steps) };
}

const notInstalled = (id: string) =>
  unexpected({
    found: `attack '${id}'`,
    at: 'the plan',
    expected: 'an installed attack',
    remedy: 'Install its package.',
  });

function mustFit({ id, access, norms }: Evasion, threat: ThreatModel, model: Model<Access>): void {
  if (!norms.includes(threat.norm)) {
    throw unexpected({
      found: `norm ${threat.norm}`,
      at: id,
      expected: norms.join(' or '),
      remedy: 'Choose one of these norms, or another attack.',
    });
  }
  if (!allows(threat.access, access)) {
    throw unexpected({
      found: `attack that needs ${access}`,
      at: id,
      expected: `at most ${threat.access}, as the threat model says`,
      remedy: 'Raise the access of the threat model, or choose another attack.',
    });
  }
  if (!allows(model.access, access)) {
    throw unexpected({
      found: `model that offers ${model.access}`,
      at: model.name,
      expected: `${access}, which ${id} needs`,
      remedy: 'Choose an attack that needs less.',
      code: 'unsupported',
    });
  }
}

async function checkThreat({ epsilons, goal }: ThreatModel, model: Model<Access>): Promise<void> {
  const wrong = epsilons.find((epsilon) => !(epsilon >= 0 && Number.isFinite(epsilon)));
  if (wrong !== undefined || epsilons.length === 0) {
    throw unexpected({
      found: wrong === undefined ? 'no number' : String(wrong),
      at: 'epsilon',
      expected: 'finite numbers from 0 upwards',
      remedy: 'Pass a radius in the units of the samples, such as 8/255.',
    });
  }
  if (goal.kind === 'targeted' && typeof goal.target === 'number' && !isClass(goal.target, model.classes)) {
    throw unexpected({
      found: `class ${goal.target}`,
      at: '--targeted',
      expected: `a class from 0 to ${model.classes - 1}`,
      remedy: 'Pass a class that the model has.',
    });
  }
  if (goal.kind === 'targeted' && goal.target === 'least-likely' && !allows(model.access, 'scores')) {
    throw unexpected({
      found: `model that offers ${model.access}`,
      at: model.name,
      expected: 'scores, by which the least likely class is known',
      remedy: 'Choose another target.',
      code: 'unsupported',
    });
  }
}

/**
 * Reads all samples of a plan once, before anything runs.
 *
 * @throws GauntletError `input` at the first sample with a NaN, a value outside the box or a label that is no class.
 */
export const checkSamples = ({ plan, model, dataset }: Assembled): Promise<void> =>
  checkValues(model, dataset, { ...plan, box: plan.threatModel.box, samples: plan.data.samples });
