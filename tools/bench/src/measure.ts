/** Something to time; waits for its result. */
export type Work = () => unknown;

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
}

/** Short work is repeated within one measurement, so that the clock and the scheduler matter less. */
const SHORTEST = 20;

/**
 * Median milliseconds of each work. They run in turns, so that whatever else the machine does falls on all alike; the first turn
 * warms up and finds how often each is repeated.
 */
export async function interleaved<K extends string>(
  works: Readonly<Record<K, Work>>,
  turns: number,
): Promise<Record<K, number>> {
  const names = Object.keys(works) as K[];
  const repeats = new Map<K, number>();
  for (const name of names) {
    await works[name]();
    repeats.set(name, Math.max(1, Math.ceil(SHORTEST / (await time(works[name], 1)))));
  }
  const times = new Map<K, number[]>(names.map((name) => [name, []]));
  for (let turn = 0; turn < turns; turn++) {
    for (const name of names) times.get(name)!.push(await time(works[name], repeats.get(name)!));
  }
  return Object.fromEntries(names.map((name) => [name, median(times.get(name)!)])) as Record<K, number>;
}

async function time(work: Work, repeats: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) await work();
  return (performance.now() - start) / repeats;
}
