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

const extent = z.strictObject({ samples: z.int().min(1), restarts: z.int().min(1) });

/** What `audit.json` holds. */
export const auditJson = z
  .strictObject({
    model: z.strictObject({ name: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
    data: z.strictObject({ name: z.string(), samples: z.int().min(1) }),
    seed: z.int().min(0),
    clean: z.strictObject({
      accuracy: share,
      rejected: share.optional().describe('clean samples that a detector turns away'),
    }),
    defences: z
      .array(
        z.strictObject({
          defence: z.string(),
          kind: z.enum(['preprocessor', 'wrapper', 'detector']),
          options: z.record(z.string(), z.unknown()).describe('those that differ from their defaults'),
          backward: z.enum(['exact', 'identity', 'substitute', 'none']),
          words: z.string().describe('how gradients pass it'),
          threshold: z.number().optional().describe('above which suspicion a detector turns inputs away'),
        }),
      )
      .optional()
      .describe('what stands before the model: the first sees inputs first'),
    fit: z
      .strictObject({
        name: z.string(),
        fingerprint: z.string(),
        samples: z.int().min(1),
        falseRejections: share.optional().describe('of clean samples that each detector may turn away'),
      })
      .optional()
      .describe(
        'the samples by which detectors and universal attacks were fitted, none of which is attacked',
      ),
    budget: z
      .strictObject({ seconds: z.number().positive(), kept: extent, whole: extent })
      .optional()
      .describe(
        'the time that the plan was fitted into, maybe together with others: the most that any of them keeps, and what this one was',
      ),
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
      surrogates: z.array(z.string()).optional().describe('other models that the attacker has'),
      queries: z
        .int()
        .min(1)
        .nullable()
        .describe('the most queries about each sample, by each attack at each epsilon; null: no limit'),
    }),
    results: z.array(
      z.strictObject({
        attack: z.string(),
        on: z
          .string()
          .optional()
          .describe(
            'what it was run on, where that is not the system under test: undefended, open, or another model',
          ),
        way: z.string().optional().describe('how it was run against defences, or on what else, in words'),
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
        crafting: z
          .strictObject({ queries: z.int().min(0), gradients: z.int().min(0) })
          .optional()
          .describe(
            'what was asked of the model that it was run on, which queries and gradients do not count',
          ),
        fit: z
          .strictObject({
            samples: z.int().min(1),
            queries: z.int().min(0),
            gradients: z.int().min(0),
            seconds: z.number().min(0),
          })
          .optional()
          .describe('of a universal attack: what fitting it took, which the other numbers do not count'),
        seconds: z.number().min(0),
      }),
    ),
    notRun: z
      .array(z.strictObject({ attack: z.string(), why: z.string() }))
      .optional()
      .describe('installed attacks that were not run on the system under test, where none was named'),
    worstCase: z.array(z.strictObject({ norm, epsilon, robustAccuracy, interval })),
    certified: z
      .array(
        z.strictObject({
          certifier: z.string(),
          words: z.string().describe('what its certificates are worth'),
          samples: z.int().min(0),
          clean: share.nullable().describe('answered correctly, of all samples'),
          abstained: z.int().min(0).describe('samples that got no answer, which counts as wrong'),
          at: z.array(
            z.strictObject({
              epsilon,
              certified: share
                .nullable()
                .describe('answered correctly and proven within epsilon, of all samples'),
              interval,
              broken: z.int().min(0).describe('answered correctly, with a point within epsilon that is not'),
              unknown: z.int().min(0).describe('answered correctly, and neither is known'),
            }),
          ),
          meanRadius: z.number().min(0).nullable().describe('of all samples, 0 for those answered wrongly'),
        }),
      )
      .optional()
      .describe('what was proven'),
    metrics: z
      .array(
        z.strictObject({
          metric: z.string(),
          certifier: z.string().optional().describe('of metrics over certificates'),
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
