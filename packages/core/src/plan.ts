import { accessOf, type Evasion, runsOn } from './attack.js';
import { checkShapes, checkValues, isClass } from './check-data.js';
import type { Dataset } from './dataset.js';
import type { Prover } from './certify.js';
import { GauntletError, isGauntletError, unexpected } from './errors.js';
import { type Access, allows, type Model } from './model.js';
import { parseOptions } from './schema.js';
import type { ThreatModel } from './threat.js';
import type { Attack } from './universal.js';
import type { TimeBudget } from './time-budget.js';
import { isPart, OPEN, STATIC, type PlannedDefence } from './way.js';

/** What to run, as printable data: two equal plans on the same files give the same rows. */
export interface Plan {
  readonly model: { readonly name: string; readonly sha256: string };
  readonly data: { readonly name: string; readonly fingerprint: string; readonly samples: number };
  readonly threatModel: ThreatModel;
  /** What stands before the model, by id, with the options that differ from their defaults: the first sees inputs first. */
  readonly defences?: readonly PlannedDefence[];
  /** The samples by which the thresholds of detectors and universal attacks are fitted: none of those that are attacked. */
  readonly fit?: PlannedFit;
  /** Other models, that attacks may be run on instead. */
  readonly surrogates?: readonly { readonly name: string; readonly sha256: string }[];
  /** Attacks by id, with the options that differ from their defaults. */
  readonly attacks: readonly PlannedAttack[];
  /** Proofs about the system under test, by id, with the options that differ from their defaults. */
  readonly certifiers?: readonly Omit<PlannedAttack, 'on'>[];
  readonly restarts: number;
  readonly batchSize: number;
  readonly seed: number;
  /** The time that it was fitted into. */
  readonly budget?: TimeBudget;
}

/** What thresholds and universal attacks are fitted by. */
export interface PlannedFit {
  readonly name: string;
  readonly fingerprint: string;
  readonly samples: number;
  /** The share of clean samples that each detector may turn away, where there is one. */
  readonly falseRejections?: number;
}

/** An attack of a plan. */
export interface PlannedAttack {
  readonly use: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What it is run on, where that is not the system under test: a part of it, or another model. Its last points are then tried on that. */
  readonly on?: string;
}

/** A plan that was checked against what it will run on. */
export interface Assembled {
  readonly plan: Plan;
  /** The system under test. */
  readonly model: Model<Access>;
  /** What attacks may be run on instead, by name: parts of the system, and other models. */
  readonly surrogates?: Readonly<Record<string, Model<Access>>>;
  readonly dataset: Dataset;
  /** What universal attacks are fitted on: none of these samples is attacked. */
  readonly fit?: Dataset;
  readonly steps: readonly Step[];
  /** What proves things about the system under test. */
  readonly provers?: readonly Prover[];
}

/** One attack of a plan, with all its options. */
export interface Step {
  readonly attack: Attack;
  readonly options: Readonly<Record<string, unknown>>;
  readonly on?: string;
}

/**
 * Checks a plan against its model, data and attacks.
 *
 * @param parts what it runs on; `attack` gives the installed attack of an id.
 * @throws GauntletError `input` that names all problems at once.
 */
export async function assemble(
  plan: Plan,
  parts: Pick<Assembled, 'model' | 'dataset' | 'fit' | 'surrogates' | 'provers'> & {
    attack: (id: string) => Attack | undefined;
  },
): Promise<Assembled> {
  const { model, dataset, surrogates = {}, provers = [] } = parts;
  const steps = plan.attacks.map(async ({ use, options, on }): Promise<Step> => {
    const attack = parts.attack(use);
    if (attack === undefined) throw notInstalled(use);
    mustWork(attack, plan.threatModel);
    if (on === undefined || isPart(on)) mustBeAllowed(attack, plan.threatModel);
    mustOffer(on === undefined ? model : surrogateFor(attack, on, surrogates), attack);
    if (attack.kind === 'universal') await checkFit(attack, parts);
    const all = (await parseOptions(attack.options, options, use)) as Step['options'];
    return { attack, options: all, ...(on && { on }) };
  });
  const checks = [
    checkThreat(plan.threatModel, model),
    checkShapes(model, dataset),
    checkSteps(plan),
    ...Object.entries(surrogates).map(([name, one]) => checkSurrogate(name, one, model)),
    ...provers.map((prover) => checkProver(prover, plan.threatModel)),
    ...steps,
  ];
  const problems = (await Promise.allSettled(checks)).flatMap((check) =>
    check.status === 'rejected' ? [check.reason as unknown] : [],
  );
  const foreign = problems.find((problem) => !isGauntletError(problem));
  if (foreign !== undefined) throw foreign;
  if (problems.length === 1) throw problems[0];
  if (problems.length > 1) {
    throw new GauntletError('input', problems.map((problem) => (problem as Error).message).join('\n'));
  }
  const fit = parts.fit && { fit: parts.fit };
  return { plan, model, surrogates, dataset, ...fit, steps: await Promise.all(steps), provers };
}

async function checkFit({ id }: Attack, { model, fit }: Pick<Assembled, 'model' | 'fit'>): Promise<void> {
  if (fit !== undefined) return checkShapes(model, fit);
  throw unexpected({
    found: 'no samples to fit on',
    at: id,
    expected: 'some that are not attacked',
    remedy: 'Set samples apart, or pass others.',
  });
}

const notInstalled = (id: string) =>
  unexpected({
    found: `attack '${id}'`,
    at: 'the plan',
    expected: 'an installed attack',
    remedy: 'Install its package.',
  });

function mustWork({ id, norms }: Pick<Attack, 'id' | 'norms'>, { norm }: ThreatModel): void {
  if (norms.includes(norm)) return;
  throw unexpected({
    found: `norm ${norm}`,
    at: id,
    expected: norms.join(' or '),
    remedy: 'Choose one of these norms, or another plugin.',
  });
}

/** What an attack asks for. */
type Needs = Pick<Evasion, 'id' | 'access' | 'reads'>;

function mustBeAllowed(attack: Needs, threat: ThreatModel): void {
  if (allows(threat.access, accessOf(attack))) return;
  const { id, access, reads } = attack;
  throw unexpected({
    found: reads === undefined ? `attack that needs ${access}` : `attack that reads the model's ${reads}`,
    at: id,
    expected: `at most ${threat.access}, as the threat model says`,
    remedy: 'Raise the access of the threat model, or choose another attack.',
  });
}

function mustOffer(model: Model<Access>, attack: Needs): void {
  if (runsOn(attack, model)) return;
  const { id, access, reads } = attack;
  const lacks = allows(model.access, access) ? reads : access;
  throw unexpected({
    found: lacks === reads ? `model without ${reads}` : `model that offers ${model.access}`,
    at: model.name,
    expected: `${lacks}, which ${id} needs`,
    remedy: 'Choose an attack that needs less.',
    code: 'unsupported',
  });
}

/** The model that an attack is run on instead of the system under test. */
function surrogateFor(
  { id, finds }: Attack,
  on: string,
  surrogates: NonNullable<Assembled['surrogates']>,
): Model<Access> {
  if (finds === 'smallest' && on !== STATIC) {
    throw unexpected({
      found: 'attack that finds the smallest perturbation',
      at: `${id} on ${on}`,
      expected: 'one that uses its budget up: what just breaks one model seldom breaks another',
      remedy: 'Choose another attack, such as attack/pgd.',
      code: 'unsupported',
    });
  }
  const found = surrogates[on];
  if (found !== undefined) return found;
  throw unexpected({
    found: `surrogate '${on}'`,
    at: id,
    expected: `one that takes part (${Object.keys(surrogates).join(', ') || 'none'})`,
    remedy: 'Name one of these.',
  });
}

async function checkSurrogate(name: string, surrogate: Model<Access>, model: Model<Access>): Promise<void> {
  const facts = ({ input: { shape, bounds }, classes }: Model<Access>) =>
    `[${shape}] in [${bounds}], ${classes} classes`;
  if (facts(surrogate) === facts(model)) return;
  throw unexpected({
    found: `model of ${facts(surrogate)}`,
    at: name,
    expected: `${facts(model)}, as ${model.name}`,
    remedy: 'Name a surrogate of the same kind.',
  });
}

const checkProver = async ({ id, norms }: Prover, threat: ThreatModel): Promise<void> =>
  mustWork({ id, norms }, threat);

/** A defended model is not judged by what was crafted without its defences alone. */
async function checkSteps({ defences = [], attacks }: Plan): Promise<void> {
  if (defences.length === 0 || attacks.length === 0) return;
  if (attacks.some(({ on }) => on === undefined || on === OPEN)) return;
  throw unexpected({
    found: 'nothing but attacks that are crafted on other models',
    at: 'the plan',
    expected: 'one beside them that is aimed at the defended model',
    remedy: 'Add an attack that the defences let through, such as attack/square, which needs no gradients.',
  });
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
