import { resolve } from 'node:path';
import type { Plugin } from '@gauntlet/core';
import type { Criterion } from '@gauntlet/gate';
import type { CheckedConfig } from './config.js';
import { accessUnder, type Pair, takesPart } from './config-pairs.js';
import type { Plugins } from './plugins.js';
import { type AuditRequest, FALSE_REJECTIONS, type Setting } from './request.js';
import { parseBytes } from './values.js';

/** One audit of a configuration: a model under a threat model. */
export interface ConfigAudit extends Pair {
  readonly request: AuditRequest;
}

/** The audits of a configuration whose paths start from a folder: every model under every threat model. */
export async function auditsOf(
  config: CheckedConfig,
  folder: string,
  plugins: Plugins,
): Promise<readonly ConfigAudit[]> {
  const defences = Object.values(config.models).flatMap((model) => Object.keys(model.defences));
  const setting = {
    folder,
    data: await plugins.dataset(resolve(folder, config.data.path)),
    named: {
      attacks: await byName(Object.keys(config.attacks ?? {}), plugins.attack),
      certifiers: await byName(Object.keys(config.certifiers), plugins.certifier),
      defences: await byName(defences, plugins.defence),
      installed: await byName(Object.keys(config.options ?? {}), plugins.attack),
    },
  };
  return Object.keys(config.models).flatMap((model) =>
    Object.keys(config.threatModels).map((threatModel) => ({
      model,
      threatModel,
      request: requestOf(config, { ...setting, model, threatModel }),
    })),
  );
}

async function byName<P>(
  names: readonly string[],
  load: (name: string) => Promise<P>,
): Promise<ReadonlyMap<string, P>> {
  const all = new Map<string, P>();
  for (const name of names) all.set(name, await load(name));
  return all;
}

/** What `byName` needs of a plugin. */
type Known = Pick<Plugin, 'id' | 'kind'>;

interface Place extends Pair {
  /** Where paths start from. */
  readonly folder: string;
  readonly data: Known;
  /** Plugins by their names in the configuration. */
  readonly named: Readonly<
    Record<'attacks' | 'certifiers' | 'defences' | 'installed', ReadonlyMap<string, Known>>
  >;
}

function requestOf(config: CheckedConfig, { folder, named, ...place }: Place): AuditRequest {
  const { data } = config;
  const model = config.models[place.model]!;
  const threat = config.threatModels[place.threatModel]!;
  const path = (file: string) => resolve(folder, file);
  const own = (uses: CheckedConfig['certifiers']) =>
    Object.entries(uses).filter(([, use]) => takesPart(use, place));
  const attacks = config.attacks && own(config.attacks);
  const certifiers = own(config.certifiers);
  const defences = Object.entries(model.defences);
  const fitted =
    defences.some(([name]) => named.defences.get(name)!.kind === 'detector') ||
    attacks?.some(([name]) => named.attacks.get(name)!.kind === 'universal');
  const list = (value: number | number[]) => [value].flat();
  return {
    model: path(model.path),
    data: path(data.path),
    norm: threat.norm,
    epsilons: threat.epsilons
      .filter(({ value }, i, all) => all.findIndex((other) => other.value === value) === i)
      .sort((a, b) => a.value - b.value),
    attacks: attacks?.map(([attack]) => attack) ?? null,
    metrics: config.metrics,
    certifiers: certifiers.map(([name]) => name),
    settings: [
      ...(attacks ?? []).flatMap(([name, use]) => settings(named.attacks.get(name)!.id, use.options)),
      ...Object.entries(config.options ?? {}).flatMap(([name, own]) =>
        settings(named.installed.get(name)!.id, own),
      ),
      ...certifiers.flatMap(([name, use]) => settings(named.certifiers.get(name)!.id, use.options)),
      ...defences.flatMap(([name, own]) => settings(named.defences.get(name)!.id, own)),
      ...settings(place.data.id, data.options),
    ],
    stack: {
      ...stackOf(fitted ? data.fit : undefined, path),
      defences: defences.map(([name]) => name),
      members: (model.members ?? []).map(path),
    },
    static: model.static,
    surrogates: (threat.surrogates ?? []).map(path),
    limit: data.limit ?? Infinity,
    batchSize: config.batchSize,
    memory: parseBytes(config.memory, 'memory'),
    seed: config.seed,
    restarts: config.restarts,
    queries: threat.queries ?? null,
    access: accessUnder(threat),
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

const settings = (plugin: string, options: Readonly<Record<string, unknown>>): Setting[] =>
  Object.entries(options).map(([option, value]) => ({ plugin, option, value }));

/** How detectors and universal attacks are fitted, where there are any. */
const stackOf = (fit: CheckedConfig['data']['fit'], path: (file: string) => string) => ({
  fitData: fit?.path === undefined ? null : path(fit.path),
  heldOut: fit?.heldOut ?? null,
  falseRejections: fit?.falseRejections ?? FALSE_REJECTIONS,
});

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
