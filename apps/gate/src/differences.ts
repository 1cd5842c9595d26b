/** Where two trees of data differ, with what each has there; as JSON has them, so that what is undefined is left out. */
export interface Difference {
  readonly path: string;
  readonly there: string;
  readonly here: string;
}

const LONGEST = 60;

/** Every place at which two trees of data differ, in the order of the second. */
export function differences(there: unknown, here: unknown, path = ''): Difference[] {
  const [a, b] = [JSON.stringify(there), JSON.stringify(here)] as (string | undefined)[];
  if (a === b) return [];
  if (isTree(there) && isTree(here)) {
    const keys = new Set([...Object.keys(here), ...Object.keys(there)]);
    return [...keys].flatMap((key) =>
      differences(there[key], here[key], path === '' ? key : `${path}.${key}`),
    );
  }
  const short = (text = 'nothing') => (text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text);
  return [{ path, there: short(a), here: short(b) }];
}

/** Lists of plain values are compared as wholes. */
const isTree = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Array.isArray(value) ? value.some(isTree) : typeof value === 'object' && value !== null;
