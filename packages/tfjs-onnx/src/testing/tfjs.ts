import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stream } from '@gauntlet/tensor';
// eslint-disable-next-line @nx/enforce-module-boundaries -- helpers of tests are not built, and tfjs is the truth of tests
import * as tf from '@tensorflow/tfjs';

/** Plain tfjs on the CPU, without its advice to use another backend. */
export async function plainTfjs(): Promise<typeof tf> {
  tf.enableProdMode();
  await tf.setBackend('cpu');
  return tf;
}

/** Gives every weight of a model random values, which stay reproducible: zeros and ones would hide mistakes. */
export function randomise(model: tf.LayersModel): void {
  const random = stream('weights', model.weights.length);
  const fresh = model.getWeights().map((weight, i) => {
    const positive = model.weights[i]!.name.includes('variance');
    const spread = weight.rank > 1 ? 1 / Math.sqrt(weight.size / weight.shape.at(-1)!) : 0.3;
    const values = Float32Array.from({ length: weight.size }, () => {
      const value = spread * random.normal();
      return positive ? 0.5 + Math.abs(value) : value;
    });
    return tf.tensor(values, weight.shape);
  });
  model.setWeights(fresh);
  tf.dispose(fresh);
}

/** A folder for saved models. */
export interface Saved {
  readonly path: string;
  /** Saves a model in a folder of its own, in as many files of weights as asked, and gives the path of its model.json. */
  save(
    model: tf.LayersModel,
    options?: { shards?: number; edit?: (json: ModelJson) => void },
  ): Promise<string>;
  remove(): void;
}

/** What a model.json holds. */
export interface ModelJson {
  format?: string;
  modelTopology: Record<string, unknown>;
  weightsManifest: { paths: string[]; weights: Record<string, unknown>[] }[];
}

export function saving(): Saved {
  const path = mkdtempSync(join(tmpdir(), 'gauntlet-tfjs-'));
  let count = 0;
  return {
    path,
    async save(model, { shards = 1, edit = () => undefined } = {}) {
      const folder = join(path, String(count++));
      mkdirSync(folder);
      await model.save(
        tf.io.withSaveHandler(async (artifacts) => {
          const bytes = new Uint8Array(artifacts.weightData as ArrayBuffer);
          // Not at the edges of weights.
          const size = Math.ceil(bytes.length / shards);
          const paths = Array.from({ length: shards }, (_, i) => `part-${i}.bin`);
          paths.forEach((name, i) =>
            writeFileSync(join(folder, name), bytes.subarray(i * size, (i + 1) * size)),
          );
          const json = {
            format: 'layers-model',
            modelTopology: artifacts.modelTopology as Record<string, unknown>,
            weightsManifest: [
              { paths, weights: artifacts.weightSpecs as unknown as Record<string, unknown>[] },
            ],
          };
          edit(json);
          writeFileSync(join(folder, 'model.json'), JSON.stringify(json));
          return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
        }),
      );
      return join(folder, 'model.json');
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Has tfjs itself load a saved model. */
export async function loaded(path: string): Promise<tf.LayersModel> {
  const { modelTopology, weightsManifest } = JSON.parse(readFileSync(path, 'utf8')) as ModelJson;
  const parts = weightsManifest.flatMap(({ paths }) =>
    paths.map((name) => readFileSync(join(path, '..', name))),
  );
  const weightData = new Uint8Array(Buffer.concat(parts)).buffer;
  const weightSpecs = weightsManifest.flatMap(
    ({ weights }) => weights,
  ) as unknown as tf.io.WeightsManifestEntry[];
  return tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
}

const CODES = { uint8: [Uint8Array, 255], uint16: [Uint16Array, 65535] } as const;

/** Writes the weights of a saved model anew as codes, in place. */
export function quantise(path: string, dtype: 'uint8' | 'uint16' | 'float16'): void {
  const bin = join(path, '..', 'part-0.bin');
  const json = JSON.parse(readFileSync(path, 'utf8')) as ModelJson;
  const bytes = new Uint8Array(readFileSync(bin));
  let at = 0;
  const parts = json.weightsManifest[0]!.weights.map((spec) => {
    const size = (spec['shape'] as number[]).reduce((product, n) => product * n, 1);
    const values = new Float32Array(bytes.slice(at, (at += 4 * size)).buffer);
    if (dtype === 'float16') {
      spec['quantization'] = { dtype };
      return new Uint8Array(Uint16Array.from(values, toFloat16).buffer);
    }
    const [array, most] = CODES[dtype];
    const min = Math.min(...values);
    const scale = (Math.max(...values) - min) / most || 1;
    spec['quantization'] = { dtype, min, scale };
    const codes = new array(size);
    values.forEach((value, i) => (codes[i] = Math.round((value - min) / scale)));
    return new Uint8Array(codes.buffer);
  });
  writeFileSync(bin, Buffer.concat(parts));
  writeFileSync(path, JSON.stringify(json));
}

/** The bits of a float16, cut off and without the smallest numbers: a sign, five bits of exponent, ten of fraction. */
function toFloat16(value: number): number {
  if (Math.abs(value) < 2 ** -14) return 0;
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const exponent = ((bits >>> 23) & 255) - 112;
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}
