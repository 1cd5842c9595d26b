import type { Access } from '@gauntlet/core';
import type { z } from 'zod';
import type { ThreatModel, use } from './config.js';

/** A model under a threat model, by their names. */
export interface Pair {
  readonly model: string;
  readonly threatModel: string;
}

/** Whether an attack or certifier takes part in the audit of a pair. */
export const takesPart = (
  { models, threatModels }: Pick<z.output<typeof use>, 'models' | 'threatModels'>,
  { model, threatModel }: Pair,
): boolean => (models?.includes(model) ?? true) && (threatModels?.includes(threatModel) ?? true);

/** The most that attacks may ask the model for: nothing, where other models are there to craft on, unless it is said. */
export const accessUnder = ({ access, surrogates }: ThreatModel): Access =>
  access ?? (surrogates === undefined ? 'gradients' : 'none');
