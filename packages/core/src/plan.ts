import type { Evasion } from './attack.js';
import type { Dataset } from './dataset.js';
import { GauntletError, isGauntletError, unexpected } from './errors.js';
import { type Access, allows, type Model } from './model.js';
import { parseOptions } from './schema.js';
import type { ThreatModel } from './threat.js';

/** What to run, as printable data: two equal plans on the same files give the same rows. */
export interface Plan {
  readonly model: { readonly name: string; readonly sha256: string };
  readonly data: { readonly name: string; readonly fingerprint: string; readonly samples: number };
  readonly threatModel: ThreatModel;
  /** Attacks by id, with the options that differ from their defaults. */
  readonly attacks: readonly { readonly use: string; readonly options: Readonly<Record<string, unknown>> }[];
  readonly restarts: number;
  readonly batchSize: number;
  readonly seed: number;
}

/** A plan that was checked against what it will run on. */
export interface Assembled {
  readonly plan: Plan;
  readonly model: Model<Access>;
  readonly dataset: Dataset;
  readonly steps: readonly Step[];
}

/** One attack of a plan, with all its options. */
export interface Step {
  readonly attack: Evasion;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Checks a plan against its model, data and attacks.
 *
 * @param attack the installed attack of an id.
 * @throws GauntletError `input` that names all problems at once.
 */
export async function assemble(
  plan: Plan,
  parts: { model: Model<Access>; dataset: Dataset; attack: (id: string) => Evasion | undefined },
): Promise<Assembled> {
  const { model, dataset } = parts;
  const steps = plan.attacks.map(async ({ use, options }): Promise<Step> => {
    const attack = parts.attack(use);
    if (attack === undefined) throw notInstalled(use);
    mustFit(attack, plan.threatModel, model);
    return { attack, options: (await parseOptions(attack.options, options, use)) as Step['options'] };
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
  return { plan, model, dataset, steps: await Promise.all(steps) };
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

const isClass = (value: number, classes: number) => Number.isInteger(value) && value >= 0 && value < classes;

async function checkShapes(model: Model<Access>, dataset: Dataset): Promise<void> {
  if (dataset.samples === 0) {
    throw unexpected({
      found: 'no samples',
      at: dataset.name,
      expected: 'at least one',
      remedy: 'Pass a data set with samples.',
    });
  }
  if (String(dataset.shape) !== String(model.input.shape)) {
    throw unexpected({
      found: `samples of shape [${dataset.shape}]`,
      at: dataset.name,
      expected: `[${model.input.shape}], as ${model.name} takes`,
      remedy: 'Reshape or transpose the data to fit the model.',
    });
  }
}

/**
 * Reads all samples of a plan once, before anything runs.
 *
 * @throws GauntletError `input` at the first sample with a NaN, a value outside the box or a label that is no class.
 */
export async function checkSamples({ plan, model, dataset }: Assembled): Promise<void> {
  const [lo, hi] = plan.threatModel.box.map(Math.fround) as [number, number];
  for (let from = 0; from < plan.data.samples; from += plan.batchSize) {
    const { ids, x, y } = await dataset.batch(from, Math.min(from + plan.batchSize, plan.data.samples));
    const size = x.data.length / ids.length;
    const wrong = x.data.findIndex((value) => !(value >= lo && value <= hi));
    if (wrong >= 0) {
      const value = x.data[wrong]!;
      throw unexpected({
        found: Number.isFinite(value) ? `value ${value}` : String(value),
        at: `sample ${ids[Math.floor(wrong / size)]} of ${dataset.name}`,
        expected: `numbers from ${plan.threatModel.box[0]} to ${plan.threatModel.box[1]}`,
        remedy: Number.isFinite(value)
          ? 'Say what values inputs may take with --bounds LO,HI.'
          : 'Remove or mend the sample.',
      });
    }
    const stray = y.findIndex((label) => !isClass(label, model.classes));
    if (stray >= 0) {
      throw unexpected({
        found: `label ${y[stray]}`,
        at: `sample ${ids[stray]} of ${dataset.name}`,
        expected: `a class from 0 to ${model.classes - 1}, as ${model.name} has ${model.classes} classes`,
        remedy: 'Mend the labels, or name the right output of the model.',
      });
    }
  }
}
