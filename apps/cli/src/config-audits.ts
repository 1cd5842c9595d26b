import { resolve } from 'node:path';
import type { Criterion } from '@gauntlet/gate';
import type { CheckedConfig } from './config.js';
import type { Plugins } from './plugins.js';
import { ALONE, type AuditRequest, type Setting } from './request.js';
import { parseBytes } from './values.js';

/** One audit of a configuration: a model under a threat model. */
export interface ConfigAudit {
  readonly model: string;
  readonly threatModel: string;
  readonly request: AuditRequest;
}

/** The audits of a configuration whose paths start from a folder: every model under every threat model. */
export async function auditsOf(
  config: CheckedConfig,
  folder: string,
  plugins: Plugins,
): Promise<readonly ConfigAudit[]> {
  const attacks = new Map<string, string>();
  for (const name of Object.keys(config.attacks)) attacks.set(name, (await plugins.attack(name)).id);
  const defences = new Map<string, string>();
  for (const name of Object.values(config.models).flatMap((model) => Object.keys(model.defences))) {
    defences.set(name, (await plugins.defence(name)).id);
  }
  const data = (await plugins.dataset(resolve(folder, config.data.path))).id;
  const ids = { attacks, defences, data };
  return Object.keys(config.models).flatMap((model) =>
    Object.keys(config.threatModels).map((threatModel) => ({
      model,
      threatModel,
      request: requestOf(config, { folder, model, threatModel, ids }),
    })),
  );
}

interface Names {
  /** Where paths start from. */
  readonly folder: string;
  readonly model: string;
  readonly threatModel: string;
  /** Ids of plugins, by their names in the configuration. */
  readonly ids: {
    readonly attacks: ReadonlyMap<string, string>;
    readonly defences: ReadonlyMap<string, string>;
    readonly data: string;
  };
}

function requestOf(config: CheckedConfig, names: Names): AuditRequest {
  const { data } = config;
  const { folder, ids } = names;
  const model = config.models[names.model]!;
  const threat = config.threatModels[names.threatModel]!;
  const attacks = Object.entries(config.attacks).filter(
    ([, { threatModels }]) => threatModels?.includes(names.threatModel) ?? true,
  );
  const settings = (plugin: string, options: Readonly<Record<string, unknown>>): Setting[] =>
    Object.entries(options).map(([option, value]) => ({ plugin, option, value }));
  const list = (value: number | number[]) => [value].flat();
  return {
    ...ALONE,
    model: resolve(folder, model.path),
    data: resolve(folder, data.path),
    norm: threat.norm,
    epsilons: threat.epsilons
      .filter(({ value }, i, all) => all.findIndex((other) => other.value === value) === i)
      .sort((a, b) => a.value - b.value),
    attacks: attacks.map(([attack]) => attack),
    metrics: [],
    settings: [
      ...attacks.flatMap(([attack, { options }]) => settings(ids.attacks.get(attack)!, options)),
      ...Object.entries(model.defences).flatMap(([name, options]) =>
        settings(ids.defences.get(name)!, options),
      ),
      ...settings(ids.data, data.options),
    ],
    stack: { ...ALONE.stack, defences: Object.keys(model.defences) },
    limit: data.limit ?? Infinity,
    batchSize: config.batchSize,
    memory: parseBytes(config.memory, 'memory'),
    seed: config.seed,
    restarts: config.restarts,
    queries: threat.queries ?? null,
    access: threat.access,
    bounds: data.bounds,
    input: {
      ...(model.mean !== undefined && { mean: list(model.mean) }),
      ...(model.std !== undefined && { std: list(model.std) }),
      ...(model.output !== undefined && { output: model.output }),
    },
    engine: model.engine ?? null,
    goal:
      threat.targeted === undefined ? { kind: 'untargeted' } : { kind: 'targeted', target: threat.targeted },
    budget: null,
    out: null,
    overwrite: false,
    json: false,
  };
}

/** The thresholds of a configuration, one for each model, threat model and radius that they are for. */
export const criteriaOf = (config: CheckedConfig): readonly Criterion[] =>
  config.thresholds.flatMap((threshold) => {
    const { model: ofModel, threatModel: ofThreat, epsilon: at } = threshold;
    return Object.keys(config.models)
      .filter((model) => (ofModel ?? model) === model)
      .flatMap((model) =>
        Object.entries(config.threatModels)
          .filter(([threatModel]) => (ofThreat ?? threatModel) === threatModel)
          .flatMap(([threatModel, { epsilons }]) =>
            [...new Set(epsilons.map(({ value }) => value))]
              .filter((epsilon) => (at?.value ?? epsilon) === epsilon)
              .map((epsilon): Criterion => ({
                ...{ model, threatModel, epsilon },
                ...(threshold.measure === 'drop'
                  ? { measure: 'drop' }
                  : { measure: threshold.measure, atLeast: threshold.atLeast }),
              })),
          ),
      );
  });
