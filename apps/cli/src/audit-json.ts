import { z } from 'zod';

const share = z.number().min(0).max(1);
const interval = z
  .tuple([share, share])
  .describe('two-sided 95% Clopper-Pearson interval of robustAccuracy: the error of sampling only');
const norm = z.enum(['l0', 'l1', 'l2', 'linf']);
const epsilon = z
  .number()
  .min(0)
  .describe('radius of the ball, in the units of x; in l0 how many entries may change');
const robustAccuracy = share
  .nullable()
  .describe('classified correctly and not broken, of all samples; targeted: of those that were tried');

/** What `audit.json` holds. */
export const auditJson = z
  .strictObject({
    model: z.strictObject({ name: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
    data: z.strictObject({ name: z.string(), samples: z.int().min(1) }),
    seed: z.int().min(0),
    clean: z.strictObject({ accuracy: share }),
    threatModel: z.strictObject({
      words: z.string(),
      goal: z.union([
        z.strictObject({ kind: z.literal('untargeted') }),
        z.strictObject({
          kind: z.literal('targeted'),
          target: z.union([z.int().min(0), z.enum(['next', 'random', 'least-likely'])]),
        }),
      ]),
      confidence: z.number().min(0).describe('by how much, in units of the scores, the goal must be reached'),
      access: z.enum(['gradients', 'scores', 'labels', 'none']).describe('the most that attacks may ask for'),
      norm,
      epsilons: z.array(epsilon).min(1),
      box: z.tuple([z.number(), z.number()]).describe('smallest and largest value of an input'),
      queries: z
        .int()
        .min(1)
        .nullable()
        .describe('the most queries about each sample, by each attack at each epsilon; null: no limit'),
    }),
    results: z.array(
      z.strictObject({
        attack: z.string(),
        norm,
        epsilon,
        options: z.record(z.string(), z.unknown()),
        robustAccuracy,
        interval,
        successRate: share.nullable().describe('broken, of the samples that were tried'),
        distance: z
          .strictObject({ median: z.number(), mean: z.number(), max: z.number(), count: z.int().min(1) })
          .nullable()
          .describe('of the broken samples, in the norm of the result; null where none was broken'),
        queries: z.int().min(0),
        gradients: z.int().min(0),
        seconds: z.number().min(0),
      }),
    ),
    worstCase: z.array(z.strictObject({ norm, epsilon, robustAccuracy, interval })),
    metrics: z
      .array(
        z.strictObject({
          metric: z.string(),
          attack: z.string().nullable().describe('null: over all attacks'),
          epsilon: epsilon.nullable().describe('null: over all epsilons'),
          value: z.unknown().describe('as the metric says'),
        }),
      )
      .optional()
      .describe('of the metrics that were named'),
    versions: z.record(z.string(), z.string()).describe('of the packages that took part, and of Node.js'),
  })
  .describe('The result of gauntlet audit');

/** What `audit.json` holds. */
export type AuditJson = z.infer<typeof auditJson>;
