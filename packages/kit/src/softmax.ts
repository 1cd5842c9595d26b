/** Probabilities of the classes: softmax(scores / temperature) of one sample, in float64. */
export function softmax(scores: ArrayLike<number>, temperature = 1): number[] {
  const top = Math.max(...Array.from(scores));
  const parts = Array.from(scores, (score) => Math.exp((score - top) / temperature));
  const sum = parts.reduce((total, part) => total + part, 0);
  return parts.map((part) => part / sum);
}
