import {
  type Access,
  accessOf,
  allows,
  type Evasion,
  type Model,
  OPEN,
  runsOn,
  STATIC,
  UNDEFENDED,
  unexpected,
} from '@gauntlet/core';
import type { AuditRequest } from './request.js';

/** An attack, as far as it decides what it can be run on. */
type Candidate = Pick<Evasion, 'id' | 'access' | 'reads' | 'norms' | 'finds' | 'byDefault'>;

/** An attack, and what it is run on where that is not the system under test. */
export interface Choice {
  readonly attack: Candidate;
  readonly on?: string;
}

/** An attack that was not run on the system under test, and why. */
export interface NotRun {
  readonly attack: string;
  readonly why: string;
}

/** What attacks can be run on. */
export interface Systems {
  /** The system under test. */
  readonly model: Model<Access>;
  /** Ids of the defences before the model that let no gradient through. */
  readonly closed: readonly string[];
  /** The model without its defences, where it has any. */
  readonly undefended: Model<Access> | null;
  /** The model behind those defences that let gradients through, where there are some of either kind. */
  readonly open: Model<Access> | null;
  /** Other models, by name. */
  readonly surrogates: Readonly<Record<string, Model<Access>>>;
}

type Asked = Pick<AuditRequest, 'norm' | 'attacks' | 'access' | 'static'>;

/**
 * Which attacks are run on what. Of the attacks that were named, all must work; of those that are merely installed, the ones that work
 * under the threat model are taken. What is crafted without the defences stands beside attacks on the defended model.
 *
 * @param notices what is known of the model's gradients, for messages.
 */
export function portfolio(
  installed: readonly Candidate[],
  asked: Asked,
  systems: Systems,
  notices: readonly string[],
): { readonly choices: readonly Choice[]; readonly notRun: readonly NotRun[] } {
  const { model, closed, undefended, surrogates } = systems;
  const named = asked.attacks !== null;
  const candidates = inNorm(installed, asked);
  const usual = named ? candidates : candidates.filter(({ byDefault }) => byDefault !== false);
  const can = (attack: Candidate) => runsOn(attack, model) && allows(asked.access, accessOf(attack));
  const able = candidates.filter(can);
  const crafters = usual.filter(({ finds }) => finds === 'within-budget');
  const on = (name: string, some: readonly Candidate[]) =>
    some.filter((attack) => runsOn(attack, systemOf(systems, name))).map((attack) => ({ attack, on: name }));

  const others = Object.keys(surrogates).flatMap((name) => on(name, crafters));
  const elsewhere = (attack: Candidate) => others.some((other) => other.attack === attack);
  const refused = named ? candidates.filter((attack) => !can(attack) && !elsewhere(attack)) : [];
  if (refused.length > 0) throw cannot(refused, { able, asked, systems, notices });

  // Where nothing that is usual works, or no gradient passes the defences, whatever works.
  const thorough = closed.length > 0 || !able.some((attack) => usual.includes(attack));
  const direct = named || thorough ? able : able.filter((attack) => usual.includes(attack));
  if (direct.length + others.length === 0)
    throw cannot(usual.length === 0 ? candidates : usual, { able, asked, systems, notices });

  const knows = allows(asked.access, 'gradients');
  const byGradients = crafters.filter(({ access }) => named || access === 'gradients');
  const parts = [
    ...(knows && systems.open !== null && !named ? on(OPEN, byGradients) : []),
    ...(knows && closed.length > 0 && !named ? on(UNDEFENDED, byGradients) : []),
    ...(knows && undefended !== null && (!named || asked.static)
      ? on(STATIC, named ? usual : byGradients)
      : []),
  ];
  const choices: Choice[] = [...direct.map((attack) => ({ attack })), ...parts, ...others];
  const notRun = named
    ? []
    : installed
        .filter((attack) => !direct.includes(attack))
        .map((attack) => ({ attack: attack.id, why: whyNot(attack, { asked, systems, able }) }));
  return { choices, notRun };
}

const systemOf = (
  { undefended, open, surrogates }: Pick<Systems, 'undefended' | 'open' | 'surrogates'>,
  name: string,
): Model<Access> => ({ ...surrogates, [STATIC]: undefended, [UNDEFENDED]: undefended, [OPEN]: open })[name]!;

function inNorm(installed: readonly Candidate[], { norm, attacks }: Asked): readonly Candidate[] {
  if (attacks !== null) return installed;
  const candidates = installed.filter(({ norms }) => norms.includes(norm));
  if (candidates.length > 0) return candidates;
  throw unexpected({
    found: `norm ${norm}`,
    at: '--norm',
    expected: `a norm in which attacks run without being named: ${list([...new Set(installed.flatMap(({ norms }) => norms))])}`,
    remedy: 'Name another norm, or an attack with --attack: gauntlet plugins lists those that are installed.',
  });
}

interface Why {
  readonly asked: Asked;
  readonly systems: Systems;
  readonly able: readonly Candidate[];
}

function whyNot(attack: Candidate, { asked, systems, able }: Why): string {
  const { access, norms } = attack;
  if (!norms.includes(asked.norm)) return `it does not work in ${asked.norm}`;
  if (able.includes(attack)) return 'it takes long: name it with --attack';
  if (!allows(asked.access, accessOf(attack))) return `it needs ${access}, more than --access allows`;
  return blocks(systems, attack)
    ? `no gradient passes ${list(systems.closed)}`
    : `it needs ${needOf(attack)}, and the model offers ${systems.model.access}`;
}

const needOf = ({ access, reads }: Candidate) => reads ?? access;

/** Whether it is the defences that keep an attack from a model. */
const blocks = ({ closed, undefended }: Systems, attack: Candidate) =>
  closed.length > 0 && undefended !== null && runsOn(attack, undefended);

function cannot(
  refused: readonly Candidate[],
  { able, asked, systems, notices }: Why & { notices: readonly string[] },
) {
  const { model, closed } = systems;
  const needs = list(refused.map((attack) => `${needOf(attack)} for ${attack.id}`));
  const left = able.length === 0 ? 'No attack that is installed or named' : list(able.map(({ id }) => id));
  const still = `${left} can still run on it.`;
  if (refused.some((attack) => !allows(asked.access, accessOf(attack)))) {
    return unexpected({
      found: `access ${asked.access}`,
      at: '--access',
      expected: needs,
      remedy: 'Raise it, or name other models with --surrogate, on which attacks can be crafted.',
    });
  }
  if (refused.every((attack) => blocks(systems, attack))) {
    return unexpected({
      found: 'defence that no gradient passes',
      at: list(closed),
      expected: needs,
      remedy: `${still} Without --attack, these take the gradients of the model without it, beside attacks that need none.`,
      code: 'unsupported',
    });
  }
  return unexpected({
    found: `model that offers ${model.access}`,
    at: model.name,
    expected: needs,
    remedy: [...notices, still].join(' '),
    code: 'unsupported',
  });
}

const list = (words: readonly string[]) => words.join(', ');
