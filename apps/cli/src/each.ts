/** What `then` gives for each of all, asked one after another. */
export async function each<T, R>(all: readonly T[], then: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (const one of all) results.push(await then(one));
  return results;
}
