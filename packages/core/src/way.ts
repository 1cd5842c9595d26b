import { type Backward, type Detector, GRADIENT_DRAWS, type Preprocessor, type Wrapper } from './defence.js';
import type { Access } from './model.js';

/** A defence of a plan. */
export interface PlannedDefence {
  readonly use: string;
  readonly kind: (Preprocessor | Wrapper | Detector)['kind'];
  readonly options: Readonly<Record<string, unknown>>;
  readonly backward: Backward;
  /** Whether it draws noise. */
  readonly random?: boolean;
  /** Above which suspicion a detector turns inputs away. */
  readonly threshold?: number;
  /** Hashes of the models beside the first, of a defence that takes several. */
  readonly members?: readonly string[];
}

/** The model without its defences: what attacks find there is tried on the defended one. */
export const STATIC = 'static';

/** The same, but that attacks are run to the end, which transfers better than what just breaks the model. */
export const UNDEFENDED = 'undefended';

/** The model behind those of its defences that let gradients through, on which attacks are run to the end. */
export const OPEN = 'open';

/** Whether a surrogate is a part of the system under test. */
export const isPart = (surrogate: string): boolean => [STATIC, UNDEFENDED, OPEN].includes(surrogate);

/** How gradients pass a defence, in words. */
export function describeBackward({
  kind,
  backward,
  random = false,
}: Pick<PlannedDefence, 'kind' | 'backward' | 'random'>): string {
  if (kind === 'detector') return 'attacks do not aim at it, and must get past it';
  const noise = { preprocessor: `, the mean of ${GRADIENT_DRAWS} draws`, wrapper: ', over its own draws' }[
    kind
  ];
  return BACKWARD[backward] + (random && backward !== 'none' ? noise : '');
}

const BACKWARD: Readonly<Record<Backward, string>> = {
  exact: 'its exact gradient',
  identity: 'BPDA: as if it were the identity',
  substitute: 'BPDA: the gradient of a substitute',
  none: 'no gradient passes it',
};

/** Whether gradients pass a defence. */
export const isOpen = ({ kind, backward }: Pick<PlannedDefence, 'kind' | 'backward'>): boolean =>
  kind === 'detector' || backward !== 'none';

/**
 * How an attack was run against a defended model, or on what else, in words; null where there is nothing to say: it was run on the model itself.
 *
 * @param attack what it asks for, and what it was run on where that is not the system under test.
 */
export function describeWay(
  { access, on }: { readonly access: Access; readonly on?: string | undefined },
  defences: readonly PlannedDefence[],
): string | null {
  const target = defences.length === 0 ? 'the model' : 'the defended model';
  const list = (some: readonly PlannedDefence[]) =>
    some.map((defence) => `${defence.use} (${describeBackward(defence)})`).join(', ');
  if (on === STATIC) return `static: found on the model without its defences, tried on ${target}`;
  if (on === UNDEFENDED) return `crafted on the model without its defences, tried on ${target}`;
  if (on === OPEN) {
    const closed = defences.filter((defence) => !isOpen(defence)).map(({ use }) => use);
    return `crafted on the model behind ${list(defences.filter(isOpen))}, without ${closed.join(', ')}, tried on ${target}`;
  }
  if (on !== undefined) return `crafted on ${on}, tried on ${target}`;
  if (defences.length === 0) return null;
  if (access === 'gradients') return `adaptive: by gradients through ${list(defences)}`;
  return `adaptive: by the ${access} of ${target}, without gradients`;
}
