import { readFileSync } from 'node:fs';
import { nearest } from './discover.js';
import type { PluginFacts } from './plugin-facts.js';

/** A plugin of Gauntlet's own, whether it is installed or not. */
export interface Catalogued extends PluginFacts {
  readonly package: string;
}

/** Every plugin that was published with this version of the command. */
export const readCatalogue = () =>
  JSON.parse(readFileSync(new URL('../catalogue.json', import.meta.url), 'utf8')) as readonly Catalogued[];

/** The package of a family whose short name is spelt like `name`, or most like it. */
export function nearestInCatalogue(family: string, name: string): string | undefined {
  const prefix = `@gauntlet/${family}-`;
  const names = readCatalogue()
    .map((one) => one.package)
    .filter((own) => own.startsWith(prefix))
    .map((own) => own.slice(prefix.length));
  const meant = nearest(name, names);
  return meant === undefined ? undefined : prefix + meant;
}
