import type { Row } from '@gauntlet/core';
import type { Member } from '@gauntlet/dataset-npz';

/** The arrays of adversarial.npz: one row for each line of outcomes.jsonl, in its order. */
export function arraysOf(
  rows: readonly Row[],
  shape: readonly number[],
  x: AsyncIterable<Uint8Array>,
  adversarial: AsyncIterable<Uint8Array>,
): Member[] {
  const n = rows.length;
  const width = rows.reduce((longest, { attack }) => Math.max(longest, attack.length), 1);
  // NumPy's text: UTF-32, padded with zeros.
  const letters = new Uint32Array(n * width);
  rows.forEach(({ attack }, i) =>
    letters.set(
      Array.from(attack, (letter) => letter.codePointAt(0)!),
      i * width,
    ),
  );
  const labels = BigInt64Array.from(rows, ({ label }) => BigInt(label));
  const epsilons = Float64Array.from(rows, ({ epsilon }) => epsilon);
  return [
    { name: 'x', dtype: '<f4', shape: [n, ...shape], data: x },
    { name: 'x_adv', dtype: '<f4', shape: [n, ...shape], data: adversarial },
    { name: 'y', dtype: '<i8', shape: [n], data: [bytesOf(labels)] },
    { name: 'attack', dtype: `<U${width}`, shape: [n], data: [bytesOf(letters)] },
    { name: 'epsilon', dtype: '<f8', shape: [n], data: [bytesOf(epsilons)] },
  ];
}

/** The bytes of numbers, not copied. */
export const bytesOf = (numbers: Float32Array | Float64Array | BigInt64Array | Uint32Array): Uint8Array =>
  new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
