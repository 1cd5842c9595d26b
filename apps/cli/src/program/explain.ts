import type { Command } from 'commander';
import { unexpected } from '@gauntlet/core';
import { optionsOf, type RawOptions } from '../options.js';
import { parseRequest } from '../request.js';
import type { Terminal } from '../terminal.js';
import { parseDuration } from '../values.js';

/** Options of an audit that decide nothing about its plan; `budget` and `json` are explain's own. */
const LEFT_OUT = ['out', 'overwrite', 'budget', 'json', 'metric'];

/** Adds `gauntlet explain`, which takes the options of `gauntlet audit`. */
export function addExplain(program: Command, terminal: Terminal): void {
  const explain = program
    .command('explain')
    .description('print a plan and the most that it costs, before anything is run')
    .argument('[model]', 'model file, with the options of an audit; without it, a configuration of the gate')
    .option('--config <file>', 'configuration: .ts, .js, .json or .yaml (default: gauntlet.config.* here)')
    .option('--budget <time>', 'fit the plan into a time, such as 90s, 10m or 2h')
    .option('--json', 'print plans and estimates as JSON');
  const audit = program.commands.find((command) => command.name() === 'audit')!;
  for (const option of audit.options) {
    if (!LEFT_OUT.includes(option.attributeName())) explain.addOption(option);
  }
  explain.action(async (model: string | undefined, raw: RawOptions) => {
    const { text, optional } = optionsOf(raw, 'explain');
    const config = text('config') ?? null;
    if (model !== undefined && config !== null) {
      throw unexpected({
        found: 'both a model and --config',
        at: 'the command line',
        expected: 'one of them',
        remedy: 'Leave one out.',
      });
    }
    const of = model === undefined ? { config } : { audit: { ...parseRequest(model, raw), json: false } };
    const { explain: run } = await import('../commands/explain.js');
    await run(
      { of, budget: optional('budget', parseDuration) ?? null, json: raw['json'] === true },
      terminal,
    );
  });
}
