/** A deterministic stream of numbers in a range. */
export function numbers(seed: number) {
  let state = seed * 2654435761;
  return (count: number, low: number, high: number): number[] =>
    Array.from({ length: count }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return low + (high - low) * (state / 2 ** 32);
    });
}

/** A function of several lists of numbers, a point, and what is said to be the function's gradient there. */
export interface Claim {
  readonly at: ReadonlyMap<string, readonly number[]>;
  readonly gradient: ReadonlyMap<string, readonly number[]>;
  value(at: ReadonlyMap<string, readonly number[]>): Promise<number>;
}

/**
 * The difference between <gradient, d> and the slope along d by central differences of fourth order, divided by the gradient's length: the worst
 * of three random directions.
 */
export async function disagreement({ at, gradient, value }: Claim, step: number): Promise<number> {
  const random = numbers(11);
  const all = (lists: ReadonlyMap<string, readonly number[]>) =>
    [...at.keys()].flatMap((name) => lists.get(name) ?? []);
  if (all(at).length === 0) return 0;
  const claimed = all(gradient);
  const length = Math.hypot(...claimed) || 1;
  const errors: number[] = [];
  for (let k = 0; k < 3; k++) {
    const d = new Map([...at].map(([name, values]) => [name, random(values.length, -1, 1)]));
    const moved = (h: number) =>
      value(new Map([...at].map(([name, values]) => [name, values.map((x, i) => x + h * d.get(name)![i]!)])));
    const central = async (h: number) => ((await moved(h)) - (await moved(-h))) / (2 * h);
    const slope = (4 * (await central(step)) - (await central(2 * step))) / 3;
    const inner = all(d).reduce((total, x, i) => total + x * claimed[i]!, 0);
    errors.push(Math.abs(inner - slope) / length);
  }
  return Math.max(...errors);
}
