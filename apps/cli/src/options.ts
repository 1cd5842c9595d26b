import { type ModelSettings, unexpected } from '@gauntlet/core';
import { parseDivisors, parseNumbers } from './values.js';

/** The options of a command as the command line gives them: text. */
export type RawOptions = Readonly<Partial<Record<string, string | boolean | readonly string[]>>>;

/** An option as it is written: `heldOut` is `--held-out`. */
export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

/** Readers of the options of a command. Each names the option in its errors. */
export function optionsOf(raw: RawOptions, command: string) {
  const text = (name: string) => raw[name] as string | undefined;
  return {
    text,
    optional<T>(name: string, parse: (text: string, flag: string) => T): T | undefined {
      const given = text(name);
      return given === undefined ? undefined : parse(given, flagOf(name));
    },
    required(name: string, form: string): string {
      const given = text(name);
      if (given !== undefined) return given;
      throw unexpected({
        found: `missing --${name}`,
        at: 'the command line',
        expected: `--${name} ${form}`,
        remedy: `See gauntlet ${command} --help.`,
      });
    },
  };
}

/** What commands that open a model are told about its input and output. */
export type InputSettings = Pick<ModelSettings, 'mean' | 'std' | 'output'>;

/** Reads `--mean`, `--std` and `--output`. */
export function parseInput(raw: RawOptions): InputSettings {
  const { text, optional } = optionsOf(raw, '');
  const mean = optional('mean', parseNumbers);
  const std = optional('std', parseDivisors);
  const output = text('output');
  return { ...(mean && { mean }), ...(std && { std }), ...(output !== undefined && { output }) };
}
