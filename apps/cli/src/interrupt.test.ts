import { untilAborted } from './interrupt.js';

const never = new Promise<never>(() => undefined);
const told = { code: 'interrupted', message: 'Interrupted: nothing was written.' };

it('gives what the work gives', async () => {
  const { signal } = new AbortController();
  expect(await untilAborted(signal, Promise.resolve(1))).toBe(1);
  await expect(untilAborted(signal, Promise.reject(new Error('no')))).rejects.toThrow('no');
});

it('does not wait when the user has had enough, before or meanwhile', async () => {
  await expect(untilAborted(AbortSignal.abort(), never)).rejects.toMatchObject(told);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 5);
  await expect(untilAborted(controller.signal, never)).rejects.toMatchObject(told);
});

it('takes a failure that the interrupt itself has caused for an interrupt', async () => {
  const controller = new AbortController();
  controller.abort();
  await expect(
    untilAborted(controller.signal, Promise.reject(new Error('child died'))),
  ).rejects.toMatchObject(told);
});
