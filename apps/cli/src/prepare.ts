import {
  type Access,
  assemble,
  type Assembled,
  checkSamples,
  type Model,
  OPEN,
  STATIC,
  UNDEFENDED,
} from '@gauntlet/core';
import { batchSizeOf } from './batch-size.js';
import { openAudit, type OpenAudit } from './open-audit.js';
import { planOf } from './plan-of.js';
import type { Plugins } from './plugins.js';
import { type NotRun, portfolio } from './portfolio.js';
import { proversOf } from './provers.js';
import type { AuditRequest } from './request.js';
import { systemsOf } from './stack.js';
import type { Terminal } from './terminal.js';

/** An audit that is checked and ready to run. */
export interface Prepared extends Pick<OpenAudit, 'source' | 'classes'> {
  readonly assembled: Assembled;
  /** What runs the model. */
  readonly engine: string;
  /** The SHA-256 of each file that the models are read from beside their own. */
  readonly externalData: Readonly<Record<string, string>>;
  /** Attacks that were left out of those that are installed, where none was named. */
  readonly notRun: readonly NotRun[];
  /** What the user should know about the model. */
  readonly notices: readonly string[];
  close(): Promise<void>;
}

/** Finds the plugins, opens the models and the data, chooses the attacks, and checks everything: nothing is written. */
export async function prepare(
  asked: AuditRequest,
  plugins: Plugins,
  terminal: Pick<Terminal, 'cwd' | 'now'>,
): Promise<Prepared> {
  const notices = noticesOf(asked);
  const onNotice = (notice: string) => notices.push(notice);
  const parts = await openAudit(asked, plugins, onNotice);
  const { request, attacks, stack, main, surrogates, files, source, classes } = parts;
  try {
    const systems = systemsOf(stack, Object.fromEntries(surrogates.map(({ name, model }) => [name, model])));
    const { choices, notRun } = portfolio(attacks, request, systems, notices);
    const plan = planOf(parts, choices);
    const { undefended, open } = systems;
    const assembled = await assemble(plan, {
      model: systems.model,
      surrogates: {
        ...present({ [STATIC]: undefended, [UNDEFENDED]: undefended, [OPEN]: open }),
        ...systems.surrogates,
      },
      dataset: stack.attacked,
      ...(stack.apart && { fit: stack.apart }),
      attack: (id) => attacks.find((attack) => attack.id === id),
      provers: await proversOf(parts, onNotice),
    });
    await checkSamples(assembled);
    const batchSize = await batchSizeOf(request, { assembled, callSize: main.model.callSize }, terminal);
    return {
      assembled: { ...assembled, plan: { ...plan, batchSize } },
      ...{ source, classes, notRun, notices },
      engine: main.engine,
      externalData: await files.externalData(),
      close: files.close,
    };
  } catch (error) {
    await files.close();
    throw error;
  }
}

const present = (all: Readonly<Record<string, Model<Access> | null>>) =>
  Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, Model<Access>] => entry[1] !== null),
  );

/** Below this share of the box a radius was hardly meant. */
const TINY = 1e-3;

function noticesOf({ norm, epsilons, bounds: [lo, hi] }: AuditRequest): string[] {
  const largest = epsilons.at(-1)!;
  if (norm === 'l0') {
    const none = largest.value > 0 && largest.value < 1;
    return none
      ? [`epsilon ${largest.text} allows no change: in l0 it counts the numbers of x that may change.`]
      : [];
  }
  if (largest.value === 0 || largest.value >= TINY * (hi - lo)) return [];
  return [`epsilon ${largest.text} is tiny beside the box [${lo}, ${hi}]: epsilon is in the units of x.`];
}
