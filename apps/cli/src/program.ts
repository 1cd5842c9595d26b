import { Command, type Option } from 'commander';
import { parseRequest, type RawOptions } from './request.js';
import type { Terminal } from './terminal.js';

const EXIT_CODES = `
Exit codes:
  0    the command did what it was asked
  2    bad input: the message says what was found, what was expected and what to do
  70   a defect in Gauntlet or in a plugin
  130  interrupted; run the same command with the same --out to go on`;

const EXAMPLES = `
Examples:
  gauntlet audit model.onnx --data test.npz --epsilon 2/255,8/255
  gauntlet audit model.onnx --data test.npz --norm l2 --epsilon 0.5 --attack pgd --set pgd.steps=100
  gauntlet audit model.onnx --data photos/ --epsilon 4/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
`;

const describeOption = ({ description, defaultValue }: Option) =>
  defaultValue === undefined ? description : `${description} (default: ${String(defaultValue)})`;

/** The command line: what it takes, and which command answers. Commands are loaded when they are called. */
export function createProgram(version: string, terminal: Terminal): Command {
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
    .option('--norm <norm>', 'how the perturbation is measured: l1, l2 or linf', 'linf')
    .option('--attack <list>', 'attacks by short name or package (default: all installed that fit)')
    .option(
      '--set <plugin.option=value>',
      'set an option of an attack or data set, may be repeated; `gauntlet plugins --options` lists them',
      collect,
    )
    .option('--targeted <target>', 'drive towards a class: an id, next, random or least-likely')
    .option('--restarts <n>', 'runs of each attack with fresh randomness', '1')
    .option('--limit <n>', 'take the first n samples (default: all)')
    .option('--batch-size <n>', 'samples per call of the model', '64')
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
    .command('plugins')
    .description('list the installed plugins with kind, access, norms and version')
    .option('--options', 'with the options that --set knows')
    .option('--json', 'print the list as JSON')
    .option('--verbose', 'print the stack trace of an error')
    .action(async ({ json = false, options = false }: { json?: boolean; options?: boolean }) => {
      const { listPlugins } = await import('./commands/plugins.js');
      await listPlugins({ json, options }, terminal);
    });
  return program;
}
