import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, relative, sep } from 'node:path';
import { fail, fileBeside, numbersOf } from '@gauntlet/onnx';
import { z } from 'zod';
import { parse } from './json.js';
import type { Weight } from './layer.js';

/** The most of a topology that is read, in bytes: names and options of layers, no weights. */
const LARGEST_JSON = 2 ** 26;

/** The limit of one ONNX file, and so of its weights. */
const LARGEST_WEIGHTS = 2 ** 31 - 2 ** 26;

const BYTES = { float32: 4, int32: 4, bool: 1, complex64: 8 } as const;
const QUANTISED_BYTES = { uint8: 1, uint16: 2, float16: 2 } as const;

const spec = z.object({
  name: z.string(),
  shape: z.array(z.int().min(0)).max(8),
  dtype: z.enum(['float32', 'int32', 'bool', 'complex64']),
  group: z.string().optional(),
  quantization: z
    .object({
      dtype: z.enum(['uint8', 'uint16', 'float16']),
      scale: z.number().default(1),
      min: z.number().default(0),
      original_dtype: z.string().optional(),
    })
    .optional(),
});

const manifest = z.object({
  modelTopology: z.record(z.string(), z.unknown()),
  weightsManifest: z.array(z.object({ paths: z.array(z.string()), weights: z.array(spec) })),
});

/**
 * How a weight stands in the manifest.
 *
 * @useDeclaredType
 */
export type WeightSpec = z.output<typeof spec>;

/** A tfjs model as its files hold it. */
export interface Artifacts {
  readonly kind: 'layers' | 'graph';
  /** What `modelTopology` of model.json holds. */
  readonly topology: Readonly<Record<string, unknown>>;
  readonly specs: readonly WeightSpec[];
  /** The bytes of all weights, in the order of `specs`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The files of weights, from the folder of model.json, in order. */
  readonly files: readonly string[];
  /** All of model.json. */
  readonly json: Readonly<Record<string, unknown>>;
}

/**
 * Reads a model.json with its weights, which must lie in its folder or below.
 *
 * @throws OnnxError in one sentence for what is missing, too large, or not a tfjs model.
 */
export async function readArtifacts(path: string): Promise<Artifacts> {
  const json = await readJson(path);
  const { modelTopology: topology, weightsManifest } = parse(manifest, json, 'the model');
  const folder = await realpath(dirname(path));
  const files: string[] = [];
  const parts: Buffer[] = [];
  const specs: WeightSpec[] = [];
  let total = 0;
  for (const { paths, weights } of weightsManifest) {
    for (const name of paths) {
      const found = await fileBeside(folder, name);
      if (typeof found === 'string') throw badShard(name, found);
      total += found.size;
      if (total > LARGEST_WEIGHTS) {
        fail(
          'bad-graph',
          'Unexpected size of the weights at the model, expected less than 2 GB. Use a smaller model.',
        );
      }
      parts.push(await readFile(found.file));
      files.push(relative(folder, found.file).replaceAll(sep, '/'));
    }
    specs.push(...weights);
  }
  const wanted = specs.reduce((sum, one) => sum + sizeOf(one), 0);
  const bytes = joined(parts);
  if (wanted > bytes.length) {
    fail(
      'truncated',
      `Unexpected ${bytes.length} bytes of weights at the model, expected the ${wanted} of its manifest. Copy its .bin files again.`,
    );
  }
  return { kind: 'node' in topology ? 'graph' : 'layers', topology, specs, bytes, files, json };
}

/**
 * The weights of a model by their names in the manifest, quantised ones as tfjs reads them: a code times scale plus min. What belongs
 * to an optimiser is left out, and what is not float32.
 */
export function weightsOf({ specs, bytes }: Artifacts): ReadonlyMap<string, Weight> {
  const weights = new Map<string, Weight>();
  let at = 0;
  for (const one of specs) {
    const size = sizeOf(one);
    const own = bytes.slice(at, at + size);
    at += size;
    if (one.dtype === 'float32' && one.group !== 'optimizer') weights.set(one.name, decode(one, own.buffer));
  }
  return weights;
}

function decode({ shape: dims, quantization }: WeightSpec, own: ArrayBuffer): Weight {
  if (quantization === undefined) return { dims, data: new Float32Array(own) };
  const { dtype, scale, min } = quantization;
  if (dtype === 'float16') {
    return { dims, data: Float32Array.from(numbersOf({ dtype, dims, data: new Uint16Array(own) })) };
  }
  const codes = dtype === 'uint8' ? new Uint8Array(own) : new Uint16Array(own);
  return { dims, data: Float32Array.from(codes, (code) => code * scale + min) };
}

function sizeOf({ shape, dtype, quantization }: WeightSpec): number {
  const each = quantization === undefined ? BYTES[dtype] : QUANTISED_BYTES[quantization.dtype];
  return shape.reduce((product, n) => product * n, each);
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  const facts = await stat(path).catch((cause: unknown) =>
    fail('not-onnx', 'Unexpected missing file at the model, expected a model.json. Check the path.', cause),
  );
  if (!facts.isFile() || facts.size > LARGEST_JSON) {
    fail(
      'not-onnx',
      'Unexpected content at the model, expected a model.json of tfjs. Give the file that tf.LayersModel.save wrote.',
    );
  }
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    return fail(
      'not-onnx',
      'Unexpected content that is not JSON at the model, expected a model.json of tfjs. Copy the file again.',
      cause,
    );
  }
}

const badShard = (name: string, why: 'missing' | 'outside') =>
  why === 'missing'
    ? fail(
        'bad-tensor',
        `Unexpected missing weights "${name}" at the model, expected that file beside model.json. Copy it there.`,
      )
    : fail(
        'bad-tensor',
        `Unexpected weights in "${name}" at the model, expected a file in the folder of model.json. Do not use a model that reads other files.`,
      );

/** Buffers in memory of their own, so that numbers in it are aligned. */
function joined(parts: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
