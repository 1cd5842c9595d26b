import type { Status } from '@gauntlet/gate';
import { Command, type Option } from 'commander';
import type { ReportOptions } from './commands/report.js';
import type { RawOptions } from './options.js';
import { EXIT_CODES } from './program/exit-codes.js';
import { addGate } from './program/gate.js';
import { parseRequest } from './request.js';
import type { Terminal } from './terminal.js';

const EXAMPLES = `
Examples:
  gauntlet audit model.onnx --data test.npz --epsilon 2/255,8/255
  gauntlet audit model.onnx --data test.npz --norm l2 --epsilon 0.5 --attack pgd --set pgd.steps=100
  gauntlet audit model.onnx --data photos/ --epsilon 4/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
`;

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

  const collect = (one: string, all: readonly string[] = []) => [...all, one];
  program
    .command('audit')
    .description('attack a model under a threat model and say how much of its accuracy is left')
    .argument('<model>', 'model file, such as model.onnx')
    .option('--data <path>', 'labelled samples: an .npz file with x and y, or a folder of images')
    .option('--epsilon <list>', 'radii of the ball, in the units of x: 2/255,8/255')
    .option('--norm <norm>', 'how the perturbation is measured: linf, l2, l1 or l0', 'linf')
    .option('--attack <list>', 'attacks by short name or package (default: all installed that fit)')
    .option('--metric <list>', 'more metrics over the rows, by short name or package: security-curve')
    .option(
      '--set <plugin.option=value>',
      'set an option of an attack or data set, may be repeated; `gauntlet plugins --options` lists them',
      collect,
    )
    .option('--targeted <target>', 'drive towards a class: an id, next, random or least-likely')
    .option('--restarts <n>', 'runs of each attack with fresh randomness', '1')
    .option(
      '--queries <n>',
      'most queries about each sample, by each attack at each epsilon (default: no limit)',
    )
    .option('--limit <n>', 'take the first n samples (default: all)')
    .option('--batch-size <n>', 'samples per call of the model; auto: the fastest, by a short trial', 'auto')
    .option('--memory <size>', 'what one call of the model may take', '2GB')
    .option('--seed <n>', 'seed of everything random', '0')
    .option(
      '--bounds <lo,hi>',
      'values that inputs may take; 8-bit data is divided by 255 unless 0,255',
      '0,1',
    )
    .option('--mean <list>', 'subtracted from the input inside the model: one number, or one per channel')
    .option('--std <list>', 'divides the input inside the model, after the mean')
    .option('--output <name>', 'output of the model that holds the scores, where there are several')
    .option(
      '--engine <name>',
      'what runs the model: onnx, or tf for models of tfjs (default: onnx where it can)',
    )
    .option(
      '--out <folder>',
      'where results go (default: gauntlet-out/MODEL-TIME); an unfinished run goes on',
    )
    .option('--overwrite', 'replace the run that the folder holds')
    .option('--json', 'print the content of audit.json and nothing else on stdout')
    .option('--verbose', 'print the stack trace of an error')
    .addHelpText('after', EXAMPLES + EXIT_CODES)
    .action(async (model: string, raw: RawOptions) => {
      const request = parseRequest(model, raw);
      const { audit } = await import('./commands/audit.js');
      await audit(request, version, terminal);
    });

  program
    .command('train')
    .description('train a model with a defence, and write it with its new weights')
    .argument('<model>', 'model file, such as model.onnx')
    .option(
      '--data <path>',
      'labelled samples to learn from: an .npz file with x and y, or a folder of images',
    )
    .option('--defence <name>', 'training defence by short name or package')
    .option('--epsilon <radius>', 'radius of the ball to harden in, in the units of x: 8/255')
    .option('--norm <norm>', 'how the perturbation is measured: l1, l2 or linf', 'linf')
    .option(
      '--attack <name>',
      'attack that crafts samples, and measures by its defaults (default: of the defence)',
    )
    .option('--set <plugin.option=value>', 'set an option of the defence, attack or data set', collect)
    .option('--epochs <n>', 'epochs of each stage', '10')
    .option('--batch-size <n>', 'samples of each update', '100')
    .option('--optimiser <name>', 'adam or sgd', 'adam')
    .option('--learning-rate <rate>', 'step length of the optimiser', '0.001')
    .option('--momentum <share>', 'of sgd (default: 0.9)')
    .option('--patience <n>', 'stop after n epochs that were no better (default: never)')
    .option(
      '--held-out <n>',
      'samples by which the best epoch is chosen, never learnt from (default: a tenth, 500 at most)',
    )
    .option('--seed <n>', 'seed of everything random', '0')
    .option(
      '--bounds <lo,hi>',
      'values that inputs may take; 8-bit data is divided by 255 unless 0,255',
      '0,1',
    )
    .option('--mean <list>', 'subtracted from the input before the model: one number, or one per channel')
    .option('--std <list>', 'divides the input before the model, after the mean')
    .option('--output <name>', 'output of the model that holds the scores, where there are several')
    .option('--engine <name>', 'what trains the model: onnx, or tf for models of tfjs')
    .option('-o, --out <file>', 'the file to write; an unfinished training goes on')
    .option('--overwrite', 'replace the file, and forget an unfinished training')
    .option('--verbose', 'print the stack trace of an error')
    .action(async (model: string, raw: RawOptions) => {
      const { parseTrainRequest } = await import('./train-request.js');
      const request = parseTrainRequest(model, raw);
      const { trainModel } = await import('./commands/train.js');
      await trainModel(request, version, terminal);
    });

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
    .option('--lowering <name>', 'plain runs well on any machine, blocked is faster on x64', 'plain')
    .option('--shape <list>', "one sample's shape, for a model that leaves it open: 3,224,224")
    .option('--mean <list>', 'subtracted from the input inside the model: one number, or one per channel')
    .option('--std <list>', 'divides the input inside the model, after the mean')
    .option('--output <name>', 'output of the model that holds the scores, where there are several')
    .option('--verbose', 'print the stack trace of an error')
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
    .option('--verbose', 'print the stack trace of an error')
    .action(async (model: string, raw: RawOptions) => {
      const { convert } = await import('./commands/convert.js');
      await convert(model, raw, terminal);
    });

  addGate(program, version, terminal, onVerdict);

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
    .option('--trend', 'show robust accuracy over runs: several folders, or one that holds runs')
    .option('--verbose', 'print the stack trace of an error')
    .action(async (folders: string[], options: ReportOptions) => {
      const { report } = await import('./commands/report.js');
      await report(folders, options, terminal);
    });

  const plugins = program
    .command('plugins')
    .description('list the installed plugins with kind, access, norms and version')
    .option('--options', 'with the options that --set knows')
    .option('--json', 'print the list as JSON')
    .option('--verbose', 'print the stack trace of an error')
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
    .option('--verbose', 'print the stack trace of an error')
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
    .option('--verbose', 'print the stack trace of an error')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { doctor } = await import('./commands/doctor.js');
      await doctor({ json, version }, terminal);
    });
  return program;
}
