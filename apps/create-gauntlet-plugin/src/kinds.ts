/** A kind of plugin, and what differs between the packages of each. */
export interface Kind {
  /** The first word of ids and package names, by which installed plugins are found. */
  readonly family: string;
  /** What a plugin of the kind is, in a few words. */
  readonly what: string;
  /** The conformance harness of the kind in `@gauntlet/testing`, and what it is handed. */
  readonly harness: string;
  readonly subject?: string;
  /** Settings of the harness, as code. */
  readonly settings?: readonly string[];
  /** What the test holds beside the harness: further imports, and code. */
  readonly imports?: readonly string[];
  readonly setup?: string;
  /** How a user names it, for the README. */
  readonly use: (name: string) => string;
  /** Packages that the template imports beside core: those of Gauntlet without their scope. */
  readonly needs: readonly ('kit' | 'tensor' | 'zod')[];
}

const audit = (flags: string) => `npx gauntlet audit model.onnx --data test.npz --epsilon 8/255 ${flags}`;

/** The word by which the command takes a kind. */
export type KindName =
  | 'attack'
  | 'universal'
  | 'preprocessor'
  | 'wrapper'
  | 'training'
  | 'detector'
  | 'certifier'
  | 'metric'
  | 'dataset'
  | 'adapter';

/** The kinds that can be begun. */
export const KINDS: Readonly<Record<KindName, Kind>> = {
  attack: {
    family: 'attack',
    what: 'perturbs inputs until the answer changes',
    harness: 'testAttack',
    use: (name) => audit(`--attack ${name}`),
    needs: ['kit', 'zod'],
  },
  universal: {
    family: 'attack',
    what: 'fits one perturbation for all inputs',
    harness: 'testUniversal',
    use: (name) => audit(`--attack ${name}`),
    needs: ['kit', 'zod'],
  },
  preprocessor: {
    family: 'defence',
    what: 'a defence that changes inputs before the model sees them',
    harness: 'testPreprocessor',
    use: (name) => audit(`--defence ${name}`),
    needs: ['tensor', 'zod'],
  },
  wrapper: {
    family: 'defence',
    what: 'a defence that makes another model of one or several',
    harness: 'testWrapper',
    use: (name) => audit(`--defence ${name} --members other.onnx`),
    needs: ['kit', 'zod'],
  },
  training: {
    family: 'defence',
    what: 'a defence that trains the model anew',
    harness: 'testTraining',
    use: (name) =>
      `npx gauntlet train model.onnx --data train.npz --defence ${name} --epsilon 8/255 -o hardened.onnx`,
    needs: ['kit', 'zod'],
  },
  detector: {
    family: 'detector',
    what: 'a defence that turns suspicious inputs away',
    harness: 'testDetector',
    use: (name) => audit(`--defence ${name}`),
    needs: ['kit', 'tensor', 'zod'],
  },
  certifier: {
    family: 'certifier',
    what: 'proves that no perturbation of a size changes the answer',
    harness: 'testCertifier',
    use: (name) => audit(`--certifier ${name}`),
    needs: ['kit', 'tensor', 'zod'],
  },
  metric: {
    family: 'metric',
    what: 'a number over the rows of a run',
    harness: 'testMetric',
    use: (name) => audit(`--metric ${name}`),
    needs: [],
  },
  dataset: {
    family: 'dataset',
    what: 'opens labelled samples of one format',
    harness: 'testDataset',
    settings: ['files'],
    imports: [
      "import { mkdtempSync, writeFileSync } from 'node:fs';",
      "import { tmpdir } from 'node:os';",
      "import { join } from 'node:path';",
    ],
    setup: `const folder = mkdtempSync(join(tmpdir(), 'idx-'));
const shape = [1, 4, 5] as const;
const x = [0, 1, 2, 3].map((i) => Array.from({ length: 20 }, (_, j) => (50 * i + 7 * j) % 256));
const y = [3, 1, 0, 1];

/** Writes images and labels, and gives the path of the images. */
function write(name: string, images: readonly (readonly number[])[], labels: readonly number[]) {
  const path = join(folder, \`\${name}-images-idx3-ubyte\`);
  const sizes = [images.length, ...shape.slice(1)].flatMap((size) => [0, 0, 0, size]);
  writeFileSync(path, Uint8Array.of(0, 0, 8, 3, ...sizes, ...images.flat()));
  writeFileSync(
    path.replace('images-idx3', 'labels-idx1'),
    Uint8Array.of(0, 0, 8, 1, 0, 0, 0, labels.length, ...labels),
  );
  return path;
}

/** A data set, one of whose samples differ, and paths that must be refused. */
async function files() {
  const path = write('data', x, y);
  const other = write('other', [...x.slice(1), x[0]!], y);
  const short = write('short', x, y.slice(1));
  const cut = write('cut', [...x.slice(1), x[0]!.slice(1)], y);
  return { path, other, damaged: [join(folder, 'no-images-idx3-ubyte'), short, cut], shape, x, y };
}`,
    use: () => 'npx gauntlet audit model.onnx --data t10k-images-idx3-ubyte --epsilon 8/255',
    needs: ['tensor', 'zod'],
  },
  adapter: {
    family: 'adapter',
    what: 'opens model files of one format',
    harness: 'testAdapter',
    subject: '{ adapter: plugin, identity }',
    imports: [
      "import { mkdtempSync, writeFileSync } from 'node:fs';",
      "import { tmpdir } from 'node:os';",
      "import { join } from 'node:path';",
      "import type { OpenModel } from '@gauntlet/core';",
    ],
    setup: `const folder = mkdtempSync(join(tmpdir(), 'identity-'));

/** A model whose scores are its points, plus \`shift\`. */
async function identity(classes: number, shift: number) {
  const path = join(folder, \`\${classes} \${shift}.linear\`);
  const weights = Array.from({ length: classes }, (_, k) =>
    Array.from({ length: classes }, (_, j) => Number(j === k)),
  );
  writeFileSync(path, JSON.stringify({ weights, bias: Array(classes).fill(shift) }));
  return plugin.open(path, { bounds: [-1000, 1000] }) as Promise<OpenModel<'gradients'>>;
}`,
    use: () => 'npx gauntlet audit model.linear --data test.npz --epsilon 0.1',
    needs: ['kit', 'tensor', 'zod'],
  },
};
