import { type Assembled, type Plan, runOf, type ThreatModel } from '@gauntlet/core';

/**
 * What an audit is held to, as data: two audits under the same terms attacked the same samples in the same way. What is audited, the model and how it is
 * run, is not part of them.
 */
export interface Terms {
  readonly data: {
    readonly fingerprint: string;
    readonly samples: number;
    /** The plugin that read it, and how. */
    readonly use: string;
    readonly options: unknown;
  };
  readonly threatModel: ThreatModel;
  readonly defences: readonly {
    readonly use: string;
    readonly options: unknown;
    /** How gradients pass through it. */
    readonly backward: string;
  }[];
  /** What thresholds of detectors are fitted by. */
  readonly fit?: Plan['fit'];
  /** Other models that attacks are run on. */
  readonly surrogates?: Plan['surrogates'];
  /** Every option of each attack, defaults included, by what `runOf` of core calls it. */
  readonly attacks: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** What proves things, with the options that differ from their defaults. */
  readonly certifiers?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly restarts: number;
  readonly seed: number;
}

/** The terms of an audit that is checked and ready to run. */
export const termsOf = (
  { plan, steps, provers = [] }: Pick<Assembled, 'plan' | 'steps' | 'provers'>,
  source: { readonly use: string; readonly options: unknown },
): Terms => ({
  data: { fingerprint: plan.data.fingerprint, samples: plan.data.samples, ...source },
  threatModel: plan.threatModel,
  defences: (plan.defences ?? []).map(({ use, options, backward }) => ({ use, options, backward })),
  ...(plan.fit && { fit: plan.fit }),
  ...(plan.surrogates && { surrogates: plan.surrogates }),
  attacks: Object.fromEntries(
    steps.map(({ attack, on, options }) => {
      const name = runOf({ attack: attack.id, ...(on !== undefined && { surrogate: on }) });
      return [name, options] as const;
    }),
  ),
  ...(provers.length > 0 && {
    certifiers: Object.fromEntries(
      // The options of a defence that proves things stand among the defences.
      provers.map(({ id }) => [id, plan.certifiers?.find(({ use }) => use === id)?.options ?? {}]),
    ),
  }),
  restarts: plan.restarts,
  seed: plan.seed,
});
