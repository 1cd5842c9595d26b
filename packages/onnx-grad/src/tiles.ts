import type { Value } from './value.js';

/** What stands between zeros along an axis. */
export interface Slab {
  readonly part: Value;
  readonly axis: number;
  /** How many zeros come before it, and after it. */
  readonly before: number;
  readonly after: number;
}

/** The slabs among some tensors, in their order along the axis, if they fill it without gap or overlap, and the other tensors; else no slabs. */
export function tilesOf(
  values: readonly Value[],
  slabs: ReadonlyMap<string, Slab>,
): { readonly tiles: readonly Slab[]; readonly rest: readonly Value[] } {
  const tiles = values.flatMap(({ name }) => slabs.get(name) ?? []).sort((a, b) => a.before - b.before);
  let end = 0;
  for (const { part, axis, before } of tiles) {
    if (axis !== tiles[0]!.axis || before !== end) return { tiles: [], rest: values };
    end += Number(part.dims[axis]);
  }
  return tiles.length === 0 || tiles.at(-1)!.after !== 0
    ? { tiles: [], rest: values }
    : { tiles, rest: values.filter(({ name }) => !slabs.has(name)) };
}
