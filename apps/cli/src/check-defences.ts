import type { Attack, Certifier, Detector, Preprocessor, Wrapper } from '@gauntlet/core';
import { fieldsOf } from './config.js';
import { badNamed, type Named } from './config-plugins.js';
import { type Path, problem } from './config-problems.js';
import { mayTakePart, type Targets } from './check-uses.js';

/** The defences of a model of a configuration, with what else is said of it. */
export interface Defended {
  readonly name: string;
  readonly given: unknown;
  readonly defences: readonly Named<Preprocessor | Wrapper | Detector>[];
}

/** What is wrong with what stands before models: names, options, and members of a defence that takes several. */
export async function badDefences(models: readonly Defended[]): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, given, defences } of models) {
    problems.push(...(await badNamed(defences)));
    const fields = fieldsOf(given);
    const last = defences.at(-1);
    // What is not known may take several.
    if (typeof last?.plugin === 'string') continue;
    const several = last?.plugin.kind === 'wrapper' && last.plugin.models === 'several';
    const path = (key: string): Path => ['models', name, key];
    const say = (is: boolean, ...words: Parameters<typeof problem>) => (is ? [problem(...words)] : []);
    const [members, without] = [fields['members'] !== undefined, fields['static'] === true];
    problems.push(
      ...say(
        members && !several,
        path('members'),
        'files',
        'a defence that takes several models, named last',
        'Name one, or remove them.',
      ),
      ...say(
        several && !members,
        path('members'),
        'nothing',
        `the files of the other models of ${last?.plugin.id}`,
        'Add them.',
      ),
      ...say(
        without && defences.length === 0,
        path('static'),
        'true',
        'a defence to leave out',
        'Name one, or remove it.',
      ),
    );
  }
  return problems;
}

/** Samples to fit on, where nothing is fitted. */
export function badFit(
  fit: unknown,
  models: readonly Defended[],
  attacks: readonly Named<Attack>[],
): string[] {
  const fitted = [...models.flatMap(({ defences }) => defences), ...attacks].some(
    ({ plugin }) => typeof plugin === 'string' || plugin.kind === 'detector' || plugin.kind === 'universal',
  );
  return fit === undefined || fitted
    ? []
    : [
        problem(
          ['data', 'fit'],
          'samples to fit on',
          'a detector among the defences, or a universal attack',
          'Name one, or remove it.',
        ),
      ];
}

/** Whether anything may prove something about a model under a threat model; what is not known may. */
export const mayProve = (
  { name, defences }: Defended,
  threatModel: string,
  { certifiers, targets }: { readonly certifiers: readonly Named<Certifier>[]; readonly targets: Targets },
): boolean =>
  certifiers.some((one) => mayTakePart(one, { model: name, threatModel })) ||
  defences.some(({ plugin }) => {
    if (typeof plugin === 'string') return true;
    const proof = plugin.kind === 'wrapper' ? plugin.certificate : undefined;
    const norm = targets.sound.get(threatModel)?.norm;
    return proof !== undefined && (norm === undefined || proof.norms.includes(norm));
  });
