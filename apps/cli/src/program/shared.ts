import { Option } from 'commander';

const collect = (one: string, all: readonly string[] = []) => [...all, one];

/** Options that more than one command has, in the same words. */
const SHARED = {
  norm: () =>
    new Option('--norm <norm>', 'how the perturbation is measured: linf, l2, l1 or l0').default('linf'),
  set: () =>
    new Option(
      '--set <plugin.option=value>',
      'set an option of a plugin that takes part, may be repeated; `gauntlet plugins --options` lists them',
    ).argParser(collect),
  seed: () => new Option('--seed <n>', 'seed of everything random').default('0'),
  bounds: () =>
    new Option(
      '--bounds <lo,hi>',
      'values that inputs may take; 8-bit data is divided by 255 unless 0,255',
    ).default('0,1'),
  mean: () =>
    new Option('--mean <list>', 'subtracted from the input before the model: one number, or one per channel'),
  std: () => new Option('--std <list>', 'divides the input before the model, after the mean'),
  output: () =>
    new Option('--output <name>', 'output of the model that holds the scores, where there are several'),
  engine: () =>
    new Option(
      '--engine <name>',
      'what runs the model: onnx, or tf for models of tfjs (default: onnx where it can)',
    ),
  verbose: () => new Option('--verbose', 'print the stack trace of an error'),
} as const;

/** A new one of the options that several commands share. */
export const shared = (name: keyof typeof SHARED): Option => SHARED[name]();
