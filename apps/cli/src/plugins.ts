import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Adapter,
  type Attack,
  type CertificateMetric,
  type Certifier,
  type DatasetSource,
  type Detector,
  type Evasion,
  type Metric,
  type Plugin,
  type Preprocessor,
  type Training,
  type Wrapper,
  unexpected,
} from '@gauntlet/core';
import { createLab } from '@gauntlet/core/lab';
import { nearestInCatalogue } from './catalogue.js';
import {
  findPackage,
  findPlugins,
  importPackage,
  type Installed,
  nearest,
  type Package,
} from './discover.js';

/** The plugins of one run: known by name, loaded when they are asked for. */
export interface Plugins {
  readonly installed: readonly Installed[];
  /** The attack of a short name (`pgd`) or of a package; `at` says in messages where it was named. */
  attack(name: string, at?: string): Promise<Attack>;
  /** The same, but none that is universal: one that can craft training data. */
  evasion(name: string): Promise<Evasion>;
  /** The metric of a short name (`security-curve`) or of a package. */
  metric(name: string, at?: string): Promise<Metric | CertificateMetric>;
  /** The defence or detector of a short name (`jpeg`) or of a package. */
  defence(name: string, at?: string): Promise<Preprocessor | Wrapper | Detector>;
  /** The certifier of a short name (`ibp`) or of a package. */
  certifier(name: string, at?: string): Promise<Certifier>;
  /** The training defence of a short name (`adversarial-training`) or of a package. */
  training(name: string): Promise<Training>;
  /** Every installed evasion attack of the official packages. */
  attacks(): Promise<readonly Evasion[]>;
  adapter(path: string): Promise<Adapter>;
  /** Every adapter that opens the path and has the engine, where one is named; the one to be asked first comes first. */
  adapters(path: string, engine: string | null): Promise<readonly [Adapter, ...Adapter[]]>;
  dataset(path: string): Promise<DatasetSource>;
  /** The plugin of an installed package. */
  load(from: Package): Promise<Plugin>;
  /** The version of each package that was loaded. */
  versions(): Readonly<Record<string, string>>;
}

const TFJS = '@gauntlet/adapter-tfjs @tensorflow/tfjs-node';

/** What opens the files of an extension: an adapter and what it runs them with. */
const ADAPTERS: ReadonlyMap<string, string> = new Map([
  ['.onnx', '@gauntlet/adapter-onnx onnxruntime-node'],
  ['.json', TFJS],
]);

/** Where this command is installed. */
export const HOME = fileURLToPath(new URL('..', import.meta.url));

/** The plugins that are installed beside the user's project or beside this command. */
export function createPlugins(cwd: string): Plugins {
  const roots = [cwd, HOME];
  const installed = findPlugins(roots);
  const of = (family: string) => installed.filter((one) => one.family === family);
  const loaded = new Map<string, Package>();
  const lab = createLab({ load: (name) => importPackage(loaded.get(name)!) });

  const load = async (from: Package): Promise<Plugin> => {
    loaded.set(from.name, from);
    return lab.load(from.name);
  };

  /** The plugins of a family that open the path; the one that is named after its extension is asked first. */
  async function* openers(family: 'adapter' | 'dataset', path: string) {
    const extension = extname(path).slice(1).toLowerCase();
    const order = [...of(family)].sort(
      (a, b) => Number(b.short === extension) - Number(a.short === extension),
    );
    for (const one of order) {
      const plugin = await load(one);
      if (plugin.kind === family && plugin.opens(path)) yield plugin;
    }
  }
  const opener = async (family: 'adapter' | 'dataset', path: string) =>
    (await openers(family, path).next()).value as Adapter | DatasetSource | undefined;

  /** The plugin of one of some families and kinds, by its short name or its package. The first family is that of the flag. */
  async function named<K extends Plugin['kind']>(
    families: readonly [string, ...string[]],
    kinds: readonly K[],
    name: string,
    at = `--${families[0]}`,
  ): Promise<Extract<Plugin, { kind: K }>> {
    const candidates = families.flatMap(of);
    const known = candidates.filter((one) => one.short === name || one.name === name);
    const found =
      known.find((one) => one.name.startsWith('@gauntlet/')) ?? known[0] ?? findPackage(roots, name);
    if (found === null) throw unknownPlugin(families[0], { name, at }, candidates);
    const plugin = await load(found);
    if (kinds.some((kind) => kind === plugin.kind)) return plugin as Extract<Plugin, { kind: K }>;
    throw unexpected({
      found: `${plugin.id}, which is of the kind ${plugin.kind}`,
      at,
      expected: kinds.some((kind) => kind === 'universal')
        ? 'an attack'
        : `a plugin of the kind ${kinds.join(', ')}`,
      remedy: `Name one of ${list(candidates.map(({ short }) => short))}.`,
    });
  }

  return {
    installed,
    load,
    attack: (name, at) => named(['attack'], ['evasion', 'universal'], name, at),
    evasion: (name) => named(['attack'], ['evasion'], name),
    metric: (name, at) => named(['metric'], ['metric', 'certificate-metric'], name, at),
    defence: (name, at) => named(['defence', 'detector'], ['preprocessor', 'wrapper', 'detector'], name, at),
    certifier: (name, at) => named(['certifier'], ['certifier'], name, at),
    training: (name) => named(['defence'], ['training'], name),
    async attacks() {
      const all: Evasion[] = [];
      for (const one of of('attack').filter(({ name }) => name.startsWith('@gauntlet/'))) {
        const plugin = await load(one);
        if (plugin.kind === 'evasion') all.push(plugin);
      }
      if (all.length > 0) return all;
      throw unexpected({
        found: 'no attack',
        at: 'the installed packages',
        expected: 'at least one',
        remedy: 'Run npm install @gauntlet/attack-pgd.',
      });
    },
    async adapter(path) {
      const found = (await opener('adapter', path)) as Adapter | undefined;
      if (found !== undefined) return found;
      const packages = ADAPTERS.get(extname(path).toLowerCase());
      throw unexpected({
        found: kindOf(path, 'model file'),
        at: path,
        expected: `one that an installed adapter opens (${list(of('adapter').map(({ short }) => short))})`,
        remedy:
          packages === undefined
            ? 'Export the model to ONNX, or install an adapter for it.'
            : `Run npm install ${packages}.`,
      });
    },
    async adapters(path, engine) {
      if (engine === null) await this.adapter(path);
      const all: Adapter[] = [];
      for await (const plugin of openers('adapter', path)) all.push(plugin as Adapter);
      const [first, ...others] = all.filter((adapter) => engine === null || adapter.engine === engine);
      if (first !== undefined) return [first, ...others];
      throw unexpected({
        found: `engine '${engine}'`,
        at: '--engine',
        expected: `one that opens ${path} (${list(all.map((adapter) => adapter.engine))})`,
        remedy: engine === 'tf' ? `Run npm install ${TFJS}.` : 'Name one of these.',
      });
    },
    async dataset(path) {
      const found = (await opener('dataset', path)) as DatasetSource | undefined;
      if (found !== undefined) return found;
      const folder = (await stat(path)).isDirectory();
      throw unexpected({
        found: folder ? 'folder' : kindOf(path, 'file'),
        at: path,
        expected: `data that an installed plugin opens (${list(of('dataset').map(({ short }) => short))})`,
        remedy: folder
          ? 'Run npm install @gauntlet/dataset-images to read a folder of images.'
          : 'Save the samples with numpy.savez(path, x=samples, y=labels).',
      });
    },
    versions: () => {
      const own = findPackage([join(HOME, 'x')], '@gauntlet/core');
      const all = own === null ? [...loaded.values()] : [own, ...loaded.values()];
      return Object.fromEntries(
        all.map(({ name, version }) => [name, version] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    },
  };
}

const list = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(', '));

function unknownPlugin(
  family: string,
  { name, at }: { readonly name: string; readonly at: string },
  installed: readonly Installed[],
): Error {
  const names = installed.map(({ short }) => short);
  const remedy = () => {
    const meant = nearest(name, names);
    const known = nearestInCatalogue(family, name);
    if (known === `@gauntlet/${family}-${name}`) return `Run npm install ${known}.`;
    if (meant !== undefined)
      return `Did you mean ${meant}? gauntlet plugins search lists what could be installed.`;
    if (known !== undefined) return `Did you mean ${known}? Run npm install ${known}.`;
    return 'Install the package that provides it; gauntlet plugins search lists those that exist.';
  };
  return unexpected({
    found: `${family} '${name}'`,
    at,
    expected: `an installed one (${list(names)})`,
    remedy: remedy(),
  });
}

/** What a file is by its name. */
const kindOf = (path: string, what: string) =>
  extname(path) === '' ? `${what} without an extension` : `${what} of the kind '${extname(path)}'`;
