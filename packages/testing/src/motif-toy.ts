import { row, rows, stream, tensor } from '@gauntlet/tensor';
import { scoreModel, type Toy } from './toys.js';

const [SIDE, MOTIF, SHARPNESS] = [12, 4, 4];

/** What the classes look like, four pixels by four: edges that are bright on the right, below, on the left and above. */
const MOTIFS = [
  (i: number, j: number) => j,
  (i: number) => i,
  (i: number, j: number) => 3 - j,
  (i: number) => 3 - i,
].map((rank) =>
  Array.from({ length: MOTIF * MOTIF }, (_, k) => (rank(Math.floor(k / MOTIF), k % MOTIF) < 2 ? -1 : 1)),
);

/** The top left corners of all windows of a motif's size. */
const CORNERS = Array.from({ length: (SIDE - MOTIF + 1) ** 2 }, (_, n) => {
  const across = SIDE - MOTIF + 1;
  return Math.floor(n / across) * SIDE + (n % across);
});
const OFFSETS = Array.from({ length: MOTIF * MOTIF }, (_, k) => Math.floor(k / MOTIF) * SIDE + (k % MOTIF));

/**
 * Grey images of 12 x 12 pixels, each with a faint motif somewhere, and a model that says which, wherever it lies: the score of a class is the
 * smooth maximum of how well its motif matches each window. What puts a strong motif anywhere misleads it.
 */
export function motifToy(samples = 40): Toy {
  const classes = MOTIFS.length;
  /** How well a motif matches each window. */
  const matches = (x: Float32Array, motif: readonly number[]) =>
    CORNERS.map((corner) => OFFSETS.reduce((sum, offset, k) => sum + motif[k]! * x[corner + offset]!, 0));
  const model = scoreModel(
    { name: 'motif toy', shape: [1, SIDE, SIDE], classes },
    {
      scores: (x) =>
        Float64Array.from(MOTIFS, (motif) => {
          const all = matches(x, motif).map((match) => SHARPNESS * match);
          const top = Math.max(...all);
          return top + Math.log(all.reduce((sum, match) => sum + Math.exp(match - top), 0));
        }),
      pull(x, upstream) {
        const gradient = new Float64Array(x.length);
        MOTIFS.forEach((motif, c) => {
          const all = matches(x, motif).map((match) => SHARPNESS * match);
          const top = Math.max(...all);
          const parts = all.map((match) => Math.exp(match - top));
          const sum = parts.reduce((total, part) => total + part, 0);
          parts.forEach((part, n) =>
            OFFSETS.forEach((offset, k) => {
              gradient[CORNERS[n]! + offset]! += (upstream[c]! * SHARPNESS * motif[k]! * part) / sum;
            }),
          );
        });
        return gradient;
      },
    },
  );
  const y = Int32Array.from({ length: samples }, (_, i) => i % classes);
  const x = tensor(new Float32Array(samples * SIDE * SIDE), [samples, 1, SIDE, SIDE]);
  for (let i = 0; i < rows(x); i++) {
    const random = stream('motif toy', i);
    const own = row(x, i);
    own.forEach((_, j) => (own[j] = 0.5 + 0.03 * (random.uniform() - 0.5)));
    const corner = CORNERS[random.integer(CORNERS.length)]!;
    OFFSETS.forEach((offset, k) => (own[corner + offset]! += 0.12 * MOTIFS[y[i]!]![k]!));
  }
  return { model, x, y, box: [0, 1] };
}
