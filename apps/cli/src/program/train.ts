import type { Command } from 'commander';
import type { RawOptions } from '../options.js';
import type { Terminal } from '../terminal.js';
import { shared } from './shared.js';

/** Adds `gauntlet train`. */
export function addTrain(program: Command, version: string, terminal: Terminal): void {
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
    .addOption(shared('norm'))
    .option(
      '--attack <name>',
      'attack that crafts samples, and measures by its defaults (default: of the defence)',
    )
    .addOption(shared('set'))
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
    .addOption(shared('seed'))
    .addOption(shared('bounds'))
    .addOption(shared('mean'))
    .addOption(shared('std'))
    .addOption(shared('output'))
    .addOption(shared('engine'))
    .option('-o, --out <file>', 'the file to write; an unfinished training goes on')
    .option('--overwrite', 'replace the file, and forget an unfinished training')
    .addOption(shared('verbose'))
    .action(async (model: string, raw: RawOptions) => {
      const { parseTrainRequest } = await import('../train-request.js');
      const request = parseTrainRequest(model, raw);
      const { trainModel } = await import('../commands/train.js');
      await trainModel(request, version, terminal);
    });
}
