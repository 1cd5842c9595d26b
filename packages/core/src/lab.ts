import { type Binder, type Token, token } from './binder.js';
import { unexpected } from './errors.js';
import { inversifyBinder } from './inversify-binder.js';
import { asPlugin, type Plugin } from './plugin.js';

export { inversifyBinder } from './inversify-binder.js';

/** Holds the plugins and services of one run. */
export interface Lab {
  /** Adds plugins. Two owners of one id are an error that names both; adding the same plugin twice is none. */
  use(...plugins: readonly Plugin[]): Lab;
  /** Adds the plugin that a package exports by default. */
  load(packageName: string): Promise<Plugin>;
  /** The plugin of this id. */
  plugin(id: string): Plugin | undefined;
  /** Every plugin of a kind, in the order in which they were added. */
  plugins<K extends Plugin['kind']>(kind: K): readonly Extract<Plugin, { kind: K }>[];
  /** Where services are bound and asked for. */
  readonly services: Binder;
}

const pluginToken = (id: string): Token<Plugin> => token(`plugin/${id}`);

/**
 * A registry. Plugins and services live in a dependency-injection container: one of its own, or that of a host application.
 *
 * @param settings.load imports a package by name; by default relative to this package.
 */
export function createLab(
  settings: { binder?: Binder; load?: (packageName: string) => Promise<{ readonly default?: unknown }> } = {},
): Lab {
  const services = settings.binder ?? inversifyBinder();
  const importPackage = settings.load ?? ((name: string) => import(name));
  const owners = new Map<string, string>();

  const add = (plugin: Plugin, owner: string) => {
    const known = owners.get(plugin.id);
    if (known !== undefined && services.get(pluginToken(plugin.id)) !== plugin) {
      throw unexpected({
        found: `second owner of ${plugin.id}`,
        at: owner,
        expected: `only ${known}`,
        remedy: 'Remove one of the two.',
      });
    }
    owners.set(plugin.id, known ?? owner);
    services.value(pluginToken(plugin.id), plugin);
  };

  const lab: Lab = {
    services,
    use(...plugins) {
      plugins.forEach((plugin, i) =>
        add(asPlugin(plugin, `argument ${i + 1} of lab.use`), `lab.use(${plugin.id})`),
      );
      return lab;
    },
    async load(packageName) {
      const plugin = asPlugin((await importPackage(packageName)).default, packageName);
      add(plugin, packageName);
      return plugin;
    },
    plugin: (id) => (owners.has(id) ? services.get(pluginToken(id)) : undefined),
    plugins: <K extends Plugin['kind']>(kind: K) =>
      [...owners.keys()]
        .map((id) => services.get(pluginToken(id)))
        .filter((plugin): plugin is Extract<Plugin, { kind: K }> => plugin.kind === kind),
  };
  return lab;
}
