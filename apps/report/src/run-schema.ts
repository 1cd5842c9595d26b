import { z } from 'zod';

const options = z.record(z.string(), z.unknown());

const extent = z.looseObject({ samples: z.int(), restarts: z.int() });

/** What the report needs of `plan.json`. */
export const planSchema = z.looseObject({
  model: z.looseObject({ name: z.string(), sha256: z.string() }),
  data: z.looseObject({ name: z.string(), fingerprint: z.string(), samples: z.int().min(1) }),
  threatModel: z.looseObject({
    goal: z.union([
      z.looseObject({ kind: z.literal('untargeted') }),
      z.looseObject({
        kind: z.literal('targeted'),
        target: z.union([z.int(), z.enum(['next', 'random', 'least-likely'])]),
      }),
    ]),
    access: z.enum(['gradients', 'scores', 'labels', 'none']),
    confidence: z.number(),
    norm: z.enum(['l0', 'l1', 'l2', 'linf']),
    epsilons: z.array(z.number().min(0)).min(1),
    box: z.tuple([z.number(), z.number()]),
    queries: z.int().nullable(),
  }),
  defences: z
    .array(
      z.looseObject({
        use: z.string(),
        kind: z.enum(['preprocessor', 'wrapper', 'detector']),
        options,
        backward: z.enum(['exact', 'identity', 'substitute', 'none']),
        members: z.array(z.string()).optional(),
      }),
    )
    .optional(),
  fit: z.looseObject({ name: z.string() }).optional(),
  surrogates: z.array(z.looseObject({ name: z.string(), sha256: z.string() })).optional(),
  certifiers: z.array(z.looseObject({ use: z.string(), options })).optional(),
  attacks: z.array(z.looseObject({ use: z.string(), options, on: z.string().optional() })).min(1),
  restarts: z.int().min(1).default(1),
  batchSize: z.int().min(1).default(1),
  seed: z.int(),
  budget: z.looseObject({ seconds: z.number(), kept: extent, whole: extent }).optional(),
  classes: z.array(z.string()).optional(),
  shape: z.array(z.int().min(1)).optional(),
  engine: z.string().default('onnx'),
  externalData: z.record(z.string(), z.string()).default({}),
  source: z.looseObject({ use: z.string(), options }).optional(),
  input: z
    .looseObject({
      mean: z.array(z.number()).optional(),
      std: z.array(z.number()).optional(),
      output: z.string().optional(),
    })
    .default({}),
  versions: z.record(z.string(), z.string()).default({}),
});

/**
 * What the command line writes into `plan.json` beside the plan.
 *
 * @useDeclaredType
 */
export type Planned = Pick<
  z.infer<typeof planSchema>,
  'classes' | 'shape' | 'engine' | 'externalData' | 'source' | 'input' | 'versions'
>;

/** What the report needs of `audit.json`: all else follows from the rows and certificates. */
export const auditSchema = z.looseObject({
  results: z
    .array(
      z.looseObject({ attack: z.string(), on: z.string().optional(), way: z.string().optional(), options }),
    )
    .default([]),
  certified: z.array(z.looseObject({ certifier: z.string(), words: z.string() })).optional(),
  metrics: z
    .array(
      z.looseObject({
        metric: z.string(),
        certifier: z.string().optional(),
        attack: z.string().nullable(),
        epsilon: z.number().nullable(),
        value: z.unknown(),
      }),
    )
    .optional(),
  notRun: z.array(z.looseObject({ attack: z.string(), why: z.string() })).default([]),
  versions: z.record(z.string(), z.string()).default({}),
});

/** What `audit.json` says beside the rows: options with their defaults, what certificates are worth, metrics, attacks that were not run, versions. */
export type Audited = z.infer<typeof auditSchema>;

const length = z.number().min(0);
const pair = z.tuple([z.number(), z.number()]);

/** A line of `outcomes.jsonl`. */
export const rowSchema = z
  .looseObject({
    sample: z.union([z.int(), z.string()]),
    attack: z.string(),
    surrogate: z.string().optional(),
    finds: z.enum(['within-budget', 'smallest']),
    norm: z.enum(['l0', 'l1', 'l2', 'linf']),
    epsilon: length,
    label: z.int(),
    target: z.int().nullable(),
    clean: z.int(),
    adversarial: z.int(),
    verdict: z.enum(['broken', 'held', 'misclassified', 'exempt']),
    distance: z.looseObject({ l0: length, l1: length, l2: length, linf: length }).nullable(),
    scores: z.looseObject({ clean: pair, adversarial: pair }).optional(),
    queries: z.int().min(0),
    gradients: z.int().min(0),
    seconds: length,
    rejected: z.boolean().optional(),
    failure: z.string().optional(),
  })
  .refine((row) => row.verdict !== 'broken' || row.distance !== null, { path: ['distance'] });

/** A line of `certificates.jsonl`. */
export const certificateSchema = z.looseObject({
  certifier: z.string(),
  sample: z.union([z.int(), z.string()]),
  norm: z.enum(['l0', 'l1', 'l2', 'linf']),
  epsilon: length,
  label: z.int(),
  answer: z.int(),
  certificate: z.discriminatedUnion('outcome', [
    z.looseObject({ outcome: z.literal('robust'), radius: length }),
    z.looseObject({ outcome: z.literal('broken'), distance: length }),
    z.looseObject({ outcome: z.literal('unknown'), why: z.string() }),
  ]),
});
