import type { Status } from '@gauntlet/gate';
import { Command, type Option } from 'commander';
import type { ReportOptions } from './commands/report.js';
import type { RawOptions } from './options.js';
import { addAudit } from './program/audit.js';
import { EXIT_CODES } from './program/exit-codes.js';
import { addExplain } from './program/explain.js';
import { addGate } from './program/gate.js';
import { shared } from './program/shared.js';
import { addTrain } from './program/train.js';
import type { Terminal } from './terminal.js';

const describeOption = ({ description, defaultValue }: Option) =>
  defaultValue === undefined ? description : `${description} (default: ${String(defaultValue)})`;

/**
 * The command line: what it takes, and which command answers. Commands are loaded when they are called.
 *
 * @param onVerdict hears what the gate says.
 */
export function createProgram(
  version: string,
  terminal: Terminal,
  onVerdict: (status: Status) => void = () => undefined,
): Command {
  const program = new Command('gauntlet')
    .description('Adversarial robustness for the model file you ship.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    // Errors are told by main, in the house form; what is left for stderr is the help, where no command is named.
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err, outputError: () => undefined })
    .configureHelp({ optionDescription: describeOption });

  addAudit(program, version, terminal);
  addTrain(program, version, terminal);

  program
    .command('gradient')
    .description('write the model with a loss and its gradient, as one file that runs without Gauntlet')
    .argument('<model>', 'model file, such as model.onnx')
    .option('-o, --out <file>', 'the file to write; one that is there is replaced, but not the model')
    .option(
      '--loss <name>',
      'loss of the scores and labels: cross-entropy, log-odds or margin',
      'cross-entropy',
    )
    .option(
      '--wrt <what>',
      "input: each sample's loss; weights: the mean loss, by every float initialiser",
      'input',
    )
    .option(
      '--input <list>',
      'the inputs to differentiate by, where there are several (default: all of floats)',
    )
    .option('--lowering <name>', 'plain runs well on any machine, blocked is faster on x64', 'plain')
    .option('--shape <list>', "one sample's shape, for a model that leaves it open: 3,224,224")
    .addOption(shared('mean'))
    .addOption(shared('std'))
    .addOption(shared('output'))
    .addOption(shared('verbose'))
    .action(async (model: string, raw: RawOptions) => {
      const { parseGradientRequest } = await import('./gradient-request.js');
      const request = parseGradientRequest(model, raw);
      const { gradient } = await import('./commands/gradient.js');
      await gradient(request, terminal);
    });

  program
    .command('convert')
    .description('write a model of tfjs as an ONNX file')
    .argument('<model>', 'the model.json of a LayersModel, beside its weights')
    .option('-o, --out <file>', 'the file to write; one that is there is replaced, but not the model')
    .addOption(shared('verbose'))
    .action(async (model: string, raw: RawOptions) => {
      const { convert } = await import('./commands/convert.js');
      await convert(model, raw, terminal);
    });

  addGate(program, version, terminal, onVerdict);
  addExplain(program, terminal);

  program
    .command('report')
    .description('write the results of a run as one HTML page that needs no network, or as text')
    .argument('<folders...>', 'folder of a finished or unfinished run; with --trend, of several')
    .option(
      '-o, --out <file>',
      'the file to write; one that is there is replaced (default: report.html or .md)',
    )
    .option(
      '--format <name>',
      'html, markdown (for a pull request) or model-card (default: by the extension of the file)',
    )
    .option('--against <folder>', 'an older run on the same samples: show what got worse')
    .option(
      '--classes <file>',
      'names of the classes, one a line from that of class 0 on (default: those of the data)',
    )
    .option('--trend', 'show robust accuracy over runs: several folders, or one that holds runs')
    .addOption(shared('verbose'))
    .action(async (folders: string[], options: ReportOptions) => {
      const { report } = await import('./commands/report.js');
      await report(folders, options, terminal);
    });

  const plugins = program
    .command('plugins')
    .description('list the installed plugins with kind, access, norms and version')
    .option('--options', 'with the options that --set knows')
    .option('--json', 'print the list as JSON')
    .addOption(shared('verbose'))
    .action(async ({ json = false, options = false }: { json?: boolean; options?: boolean }) => {
      const { listPlugins } = await import('./commands/plugins.js');
      await listPlugins({ json, options }, terminal);
    });
  plugins
    .command('search')
    .description('list the plugins that exist, installed or not')
    .argument('[words...]', 'words that must all occur in what is known of a plugin: labels l2')
    .option('--offline', 'do not ask the npm registry for plugins of others')
    .option('--json', 'print the list as JSON')
    .addOption(shared('verbose'))
    .action(async (words: string[], _, command: Command) => {
      const { json = false, offline = false } = command.optsWithGlobals<{
        json?: boolean;
        offline?: boolean;
      }>();
      const { searchPlugins } = await import('./commands/search.js');
      await searchPlugins(words, { json, offline }, terminal);
    });

  program
    .command('doctor')
    .description('say what is wrong with this installation, and what to do')
    .option('--json', 'print what was found as JSON')
    .addOption(shared('verbose'))
    .action(async ({ json = false }: { json?: boolean }) => {
      const { doctor } = await import('./commands/doctor.js');
      await doctor({ json, version }, terminal);
    });
  return program;
}
