import { unexpected } from './errors.js';
import { type Access, allows, type GradientModel, type Model } from './model.js';
import type { Points } from './points.js';

/** Only what the declared access allows; anything else is a sentence, not `undefined`. */
export function wall<A extends Access, P extends Points>(model: GradientModel<P>, access: A): Model<A, P> {
  const refuse = (verb: string) => () => {
    throw unexpected({
      found: `call of ${verb}`,
      at: `an attack that declares access '${access}'`,
      expected: 'only what it declares',
      remedy: 'Declare the access that the attack needs.',
      code: 'internal',
    });
  };
  return {
    ...model,
    labels: allows(access, 'labels') ? model.labels : refuse('labels'),
    scores: allows(access, 'scores') ? model.scores : refuse('scores'),
    gradient: allows(access, 'gradients') ? model.gradient : refuse('gradient'),
  } as Model<A, P>;
}
