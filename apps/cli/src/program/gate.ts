import type { Status } from '@gauntlet/gate';
import type { Command } from 'commander';
import type { Terminal } from '../terminal.js';
import { parseDuration } from '../values.js';
import { EXIT_CODES } from './exit-codes.js';
import { shared } from './shared.js';

interface RawGateOptions {
  readonly config?: string;
  readonly out: string;
  readonly updateBaseline?: boolean;
  readonly budget?: string;
}

/** Adds `gauntlet gate`. `onVerdict` hears what it says. */
export function addGate(
  program: Command,
  version: string,
  terminal: Terminal,
  onVerdict: (status: Status) => void,
): void {
  program
    .command('gate')
    .description('audit the models of a configuration, and pass or fail by its thresholds')
    .option('--config <file>', 'configuration: .ts, .js, .json or .yaml (default: gauntlet.config.* here)')
    .option('--update-baseline', 'write the outcomes as the baseline that later runs are compared with')
    .option('--budget <time>', 'cut the plan to fit a time, such as 10m: inconclusive unless nothing is cut')
    .option('--out <folder>', 'where runs and reports go; unfinished runs go on', 'gauntlet-out/gate')
    .addOption(shared('verbose'))
    .addHelpText('after', EXIT_CODES)
    .action(async ({ config, out, updateBaseline = false, budget }: RawGateOptions) => {
      const { gate } = await import('../commands/gate.js');
      const request = {
        config: config ?? null,
        out,
        updateBaseline,
        budget: budget === undefined ? null : parseDuration(budget, '--budget'),
      };
      onVerdict(await gate(request, version, terminal));
    });
}
