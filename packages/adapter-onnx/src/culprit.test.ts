import { findCulprit } from './culprit.js';

const NODES = Array.from({ length: 37 }, (_, i) => `node ${i}`);
const ALIVE = { nodes: NODES };
const CRASHED = { died: 'took its process down', crashed: true };
const SLOW = { died: 'gave no answer', crashed: false };

it.each([0, 1, 17, 35, 36])('finds node %i, in few tries', async (culprit) => {
  const tries: number[] = [];
  const found = await findCulprit(async (first) => {
    tries.push(first);
    return first > culprit ? CRASHED : ALIVE;
  });
  expect(found).toBe(`node ${culprit}`);
  expect(tries.length).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(NODES.length)));
});

it.each<[string, Parameters<typeof findCulprit>[0]]>([
  ['the whole does not die again', async () => ALIVE],
  ['the nodes cannot be told', async () => CRASHED],
  ['the model is refused', async () => ({ error: { code: 'input', message: '', foreseen: true } })],
  ['a try takes too long', async (first) => (first === NODES.length ? CRASHED : first > 0 ? SLOW : ALIVE)],
])('names none where %s', async (_name, tried) => {
  expect(await findCulprit(tried)).toBeUndefined();
});

it('gives up after half a minute', async () => {
  let seconds = 0;
  const tried = async (first: number) => {
    seconds += 11;
    return first > 17 ? CRASHED : ALIVE;
  };
  expect(await findCulprit(tried, () => seconds)).toBeUndefined();
});
