import type { Command } from 'commander';
import type { RawOptions } from '../options.js';
import { parseRequest } from '../request.js';
import type { Terminal } from '../terminal.js';
import { EXIT_CODES } from './exit-codes.js';
import { shared } from './shared.js';

const EXAMPLES = `
Examples:
  gauntlet audit model.onnx --data test.npz --epsilon 2/255,8/255
  gauntlet audit model.onnx --data test.npz --norm l2 --epsilon 0.5 --attack pgd --set pgd.steps=100
  gauntlet audit model.onnx --data test.npz --epsilon 8/255 --defence jpeg,bit-depth --set jpeg.quality=50
  gauntlet audit model.onnx --data test.npz --epsilon 8/255 --surrogate other.onnx --metric transfer-rate
  gauntlet audit model.onnx --data photos/ --epsilon 4/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
`;

/** Adds `gauntlet audit`. */
export function addAudit(program: Command, version: string, terminal: Terminal): void {
  program
    .command('audit')
    .description('attack a model under a threat model and say how much of its accuracy is left')
    .argument('<model>', 'model file, such as model.onnx')
    .option('--data <path>', 'labelled samples: an .npz file with x and y, or a folder of images')
    .option('--epsilon <list>', 'radii of the ball, in the units of x: 2/255,8/255')
    .addOption(shared('norm'))
    .option(
      '--attack <list>',
      'attacks by short name or package (default: those installed that fit, but for slow and universal ones)',
    )
    .option('--metric <list>', 'more metrics over the rows, by short name or package: security-curve')
    .option('--certifier <list>', 'what proves a share of the accuracy, by short name or package: ibp')
    .addOption(shared('set'))
    .option(
      '--defence <list>',
      'defences and detectors before the model, the first sees inputs first: jpeg,bit-depth',
    )
    .option('--members <list>', 'the other models of a defence that takes several')
    .option(
      '--static',
      'also try on the defended model what named attacks find on the model without defences',
    )
    .option(
      '--held-out <n>',
      'samples of --data that fit detectors and universal attacks, and are not attacked (default: a fifth, 500 at most)',
    )
    .option('--fit-data <path>', 'other samples that fit them instead')
    .option(
      '--false-rejections <share>',
      'share of clean samples that a detector may turn away (default: 0.05)',
    )
    .option('--surrogate <list>', 'other models, on which attacks craft what is then tried on the model')
    .option(
      '--access <what>',
      'the most that attacks may ask the model for: gradients, scores, labels or none (default: gradients; with --surrogate: none)',
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
    .addOption(shared('seed'))
    .addOption(shared('bounds'))
    .addOption(shared('mean'))
    .addOption(shared('std'))
    .addOption(shared('output'))
    .addOption(shared('engine'))
    .option(
      '--budget <time>',
      'cut samples, then restarts, to fit the attacks into a time, such as 90s, 10m or 2h',
    )
    .option(
      '--out <folder>',
      'where results go (default: gauntlet-out/MODEL-TIME); an unfinished run goes on',
    )
    .option('--overwrite', 'replace the run that the folder holds')
    .option('--json', 'print the content of audit.json and nothing else on stdout')
    .addOption(shared('verbose'))
    .addHelpText('after', EXAMPLES + EXIT_CODES)
    .action(async (model: string, raw: RawOptions) => {
      const request = parseRequest(model, raw);
      const { audit } = await import('../commands/audit.js');
      await audit(request, version, terminal);
    });
}
