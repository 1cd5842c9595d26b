import { z } from 'zod';
import { FALSE_REJECTIONS } from './request.js';
import { parseNumber } from './values.js';

/** Names of models and threat models: parts of names of folders. */
export const NAME = /^[A-Za-z0-9][\w.-]*$/;

const FRACTION = /^ *\d+(\.\d+)?(e[+-]?\d+)? *(\/ *[1-9]\d*(\.\d+)? *)?$/i;
const NUMBER = 'a number or a fraction such as "8/255"';
const fraction = z.string().regex(FRACTION, { error: NUMBER });

/** A number, or a fraction of two as text. */
const number = z
  .union([z.number(), fraction], { error: NUMBER })
  .transform((value) => (typeof value === 'number' ? value : parseNumber(value, '')));

/** A radius, and how the user wrote it. */
const radius = z
  .union([z.number().min(0), fraction], { error: `${NUMBER}, from 0 upwards` })
  .transform((value) => ({
    text: String(value),
    value: typeof value === 'number' ? value : parseNumber(value, ''),
  }));

const file = z.string().min(1);

const channels = z.union([number, z.array(number).min(1)], { error: `${NUMBER}, or a list of them` });
const options = z.record(z.string(), z.unknown()).default({});

/** A record of at least one thing by its name. */
const named = <T extends z.ZodType>(of: T, what: string) =>
  z
    .record(z.string(), of)
    .refine((all) => Object.keys(all).length > 0, { error: `at least one ${what}` })
    .meta({ minProperties: 1 });

/** What a configuration says of one model. */
export const model = z
  .strictObject({
    path: file.describe('the model file, from the folder of the configuration'),
    mean: channels
      .optional()
      .describe('subtracted from the input inside the model: one number, or one per channel'),
    std: channels.optional().describe('divides the input inside the model, after the mean'),
    output: z.string().optional().describe('the output that holds the scores, where there are several'),
    engine: z.string().optional().describe('what runs the model: onnx, or tf for models of tfjs'),
    defences: z
      .record(z.string(), z.record(z.string(), z.unknown()))
      .default({})
      .describe(
        'what stands before the model, by short name or package, with its options: the first sees inputs first',
      ),
    members: z
      .array(file)
      .min(1)
      .optional()
      .describe('files of the other models of a defence that takes several, which must be the last'),
    static: z
      .boolean()
      .default(false)
      .describe('whether named attacks are also crafted on the model without its defences'),
  })
  .describe('a model that is audited');

const fit = z
  .strictObject({
    path: file.optional().describe('other clean samples, from the folder of the configuration'),
    heldOut: z
      .int()
      .min(1)
      .optional()
      .describe('how many samples of the data are set apart instead; a fifth, 500 at most, by default'),
    falseRejections: z
      .number()
      .min(0)
      .lt(1)
      .default(FALSE_REJECTIONS)
      .describe('the share of clean samples that each detector may turn away'),
  })
  .refine(({ path, heldOut }) => path === undefined || heldOut === undefined, {
    error: 'path or heldOut, not both',
  })
  .describe('the samples that detectors and universal attacks are fitted on, which are not attacked');

/** What a configuration says of the samples. */
export const data = z
  .strictObject({
    path: file.describe(
      'labelled samples: an .npz file or a folder of images, from the folder of the configuration',
    ),
    limit: z.int().min(1).optional().describe('the first n samples; all by default'),
    bounds: z
      .tuple([z.number(), z.number()])
      .refine(([lo, hi]) => lo < hi, { error: 'the smallest and the largest value, in this order' })
      .default([0, 1])
      .describe('values that inputs may take; 8-bit data is divided by 255 unless this is [0, 255]'),
    options: options.describe('options of the data set, such as the names of its arrays'),
    fit: fit.optional(),
  })
  .describe('the samples that every model is audited on');

/** What a configuration says of one threat model. */
export const threatModel = z
  .strictObject({
    norm: z.enum(['linf', 'l2', 'l1', 'l0']).default('linf').describe('how a perturbation is measured'),
    epsilons: z
      .array(radius)
      .min(1)
      .describe('radii of the ball, in the units of x: numbers, or fractions such as "8/255"'),
    access: z
      .enum(['gradients', 'scores', 'labels', 'none'])
      .optional()
      .describe('the most that attacks may ask the model for; gradients by default, none beside surrogates'),
    surrogates: z
      .array(file)
      .min(1)
      .optional()
      .describe('files of other models, on which attacks craft what is then tried on the model'),
    targeted: z
      .union([z.int().min(0), z.enum(['next', 'random', 'least-likely'])], {
        error: 'a class id, "next", "random" or "least-likely"',
      })
      .optional()
      .describe('the class that attacks shall reach; any wrong class by default'),
    queries: z
      .int()
      .min(1)
      .optional()
      .describe('most queries about each sample, by each attack at each epsilon; no limit by default'),
  })
  .describe('what the attacker wants, knows and may do');

/** What a configuration says of one attack or certifier. */
export const use = z
  .strictObject({
    options: options.describe('its options; gauntlet plugins --options lists them'),
    threatModels: z
      .array(z.string())
      .min(1)
      .optional()
      .describe('the threat models it belongs to; all by default'),
    models: z.array(z.string()).min(1).optional().describe('the models it is for; all by default'),
  })
  .describe('by short name or package');

const where = {
  model: z.string().optional().describe('for one model; for each by default'),
  threatModel: z.string().optional().describe('under one threat model; under each by default'),
  epsilon: radius.optional().describe('at one radius; at each by default'),
};
const share = z.number().min(0).max(1);

/** One threshold of a configuration: robust accuracy, the lower end of its interval, or no drop below the baseline. */
export const threshold = z
  .discriminatedUnion('measure', [
    z.strictObject({
      measure: z.literal('robust-accuracy').describe('robust accuracy, in the worst case over attacks'),
      atLeast: share,
      ...where,
    }),
    z.strictObject({
      measure: z
        .literal('lower-bound')
        .describe('the lower end of its two-sided 95% Clopper-Pearson interval'),
      atLeast: share,
      ...where,
    }),
    z.strictObject({
      measure: z
        .literal('certified-accuracy')
        .describe('answered correctly and proven within epsilon, by whichever certifier, of all samples'),
      atLeast: share,
      ...where,
    }),
    z.strictObject({
      measure: z
        .literal('drop')
        .describe('no fall below the baseline that chance does not explain (McNemar, Holm, alpha 0.05)'),
      ...where,
    }),
  ])
  .describe('what must hold');

/** What a configuration of `gauntlet gate` holds. */
export const configSchema = z
  .strictObject({
    $schema: z.string().optional().describe('for editors'),
    models: named(model, 'model'),
    data,
    threatModels: named(threatModel, 'threat model'),
    attacks: named(use, 'attack')
      .optional()
      .describe('the attacks; by default those installed that fit, but for slow and universal ones'),
    options: z
      .record(z.string(), z.record(z.string(), z.unknown()))
      .optional()
      .describe('options of installed attacks by short name, where attacks is left out'),
    certifiers: z.record(z.string(), use).default({}).describe('what proves a share of the accuracy'),
    metrics: z
      .array(z.string())
      .default([])
      .describe('more metrics over the rows, by short name or package; they decide nothing'),
    restarts: z.int().min(1).default(1).describe('runs of each attack from other random numbers'),
    seed: z.int().min(0).default(0).describe('seed of everything random'),
    batchSize: z
      .union([z.int().min(1), z.literal('auto')], { error: 'a whole number from 1 upwards, or "auto"' })
      .default('auto')
      .describe('samples per call of the model; auto: the fastest, by a short trial'),
    memory: z.string().default('2GB').describe('what one call of the model may take'),
    thresholds: z.array(threshold).min(1),
    baseline: z
      .string()
      .min(1)
      .default('gauntlet-baseline.json')
      .describe(
        'what an earlier run found, from the folder of the configuration; gauntlet gate --update-baseline writes it',
      ),
  })
  .describe('The configuration of gauntlet gate');

/** A configuration of `gauntlet gate`, as a user writes it. */
export type Config = z.input<typeof configSchema>;

/** A configuration of `gauntlet gate`, with its defaults. */
export type CheckedConfig = z.output<typeof configSchema>;

/** Gives the configuration back: editors complete what is written inside. */
export const defineConfig = (config: Config): Config => config;

/** A threat model of a configuration, with its defaults. */
export type ThreatModel = z.output<typeof threatModel>;

/** The fields of what may be an object; none where it is something else. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
