import type { FirstAnswer } from './child.js';
import type { Death } from './trial.js';

/** Seconds after which a search is given up. */
const LONGEST = 30;

/**
 * The first node with which a model takes its process down, by bisection over the order in which nodes run: a process for each try.
 *
 * @param tried what comes of running the first nodes alone; of none of them, the answer names all.
 * @returns the node's path; undefined where the whole does not die again, or where the search takes too long.
 */
export async function findCulprit(
  tried: (first: number) => Promise<FirstAnswer | Death>,
  now: () => number = () => performance.now() / 1000,
): Promise<string | undefined> {
  const end = now() + LONGEST;
  const none = await tried(0);
  if (!('nodes' in none)) return undefined;
  const { nodes } = none;
  let [alive, dead] = [0, nodes.length + 1];
  for (let at = nodes.length; dead - alive > 1; at = (alive + dead) >> 1) {
    const outcome = await tried(at);
    const crashed = 'died' in outcome && outcome.crashed;
    if (now() > end || ('died' in outcome && !crashed)) return undefined;
    if (crashed) dead = at;
    else alive = at;
  }
  return nodes[dead - 1];
}
