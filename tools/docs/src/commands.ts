import { optionFacts, type Plugin, type Schema, shortName } from '@gauntlet/core';
import type { Command } from 'commander';
import { createProgram } from '../../../apps/cli/src/program.js';
import { text } from './pages.js';

const catalogue = JSON.parse(text('apps/cli/catalogue.json')) as { package: string; id: string }[];

/** The packages of official plugins, by the names that flags take. */
export const packages = new Map(catalogue.map((plugin) => [shortName(plugin.id), plugin.package]));

/** The command line, which nobody listens to. */
export const program = createProgram('', {
  cwd: '',
  out: () => undefined,
  err: () => undefined,
  interactive: { out: false, err: false },
  now: () => 0,
  signal: new AbortController().signal,
});

/** A command of it. */
export const commandNamed = (name: string): Command =>
  program.commands.find((command) => command.name() === name)!;

/** The names of a plugin's options. */
export async function optionsOf(name: string): Promise<string[]> {
  const { default: plugin } = (await import(packages.get(name)!)) as {
    default: Plugin & { options?: Schema };
  };
  return plugin.options === undefined ? [] : optionFacts(plugin.options).map((option) => option.name);
}
