import { unexpected } from './errors.js';
import type { Adapter } from './adapter.js';
import type { DatasetSource } from './dataset.js';
import type { CertificateMetric, Metric } from './metric.js';
import type { Certifier, Detector, Preprocessor, Wrapper } from './defence.js';
import type { Poisoning } from './poisoning.js';
import type { Training } from './training.js';
import type { Attack } from './universal.js';

/** The version of the contracts in this package, and the brand by which a plugin is recognised. */
export const API = 'gauntlet/1';

/** What every plugin says about itself. */
export interface PluginFacts {
  /** Family and name: `attack/pgd`, `dataset/npz`. */
  readonly id: string;
  /** One line for lists and help. */
  readonly summary: string;
}

/** A plugin: a frozen value, the default export of its package. Importing it registers nothing. */
export type Plugin = Sealed<
  | Attack
  | Training
  | Poisoning
  | Preprocessor
  | Wrapper
  | Detector
  | Certifier
  | Metric
  | CertificateMetric
  | DatasetSource
  | Adapter
>;

/**
 * A value that was declared for these contracts. It is known by what it says, never by `instanceof`, so that two copies of this
 * package in one tree still understand each other.
 */
export type Sealed<P> = Readonly<P> & { readonly api: typeof API };

export const seal = <P extends object>(plugin: P): Sealed<P> => Object.freeze({ ...plugin, api: API });

/**
 * `value` as a plugin.
 *
 * @param from the package or file that it came from, for the message.
 * @throws GauntletError `input` when it is not a plugin or was made for other contracts.
 */
export function asPlugin(value: unknown, from: string): Plugin {
  const { api, id } = (value ?? {}) as Partial<Plugin>;
  if (typeof id !== 'string' || typeof api !== 'string' || !/^gauntlet\/\d+$/.test(api)) {
    throw unexpected({
      found: 'default export that is not a plugin',
      at: from,
      expected:
        'the value that a function of @gauntlet/core returns, such as defineAttack or definePreprocessor',
      remedy: 'Name a Gauntlet plugin, or mend its default export.',
    });
  }
  if (api !== API) {
    throw unexpected({
      found: `plugin ${id} for the contracts ${String(api)}`,
      at: from,
      expected: API,
      remedy: 'Install a version of the plugin that matches @gauntlet/core.',
    });
  }
  return value as Plugin;
}
