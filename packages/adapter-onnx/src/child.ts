/** The process in which a model is tried first: it answers each question with a prepared model or with what is wrong. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorCode, isGauntletError } from '@gauntlet/core';
import type { TensorType } from '@gauntlet/onnx';
import { legibly } from './legible.js';
import { serve } from './model.js';
import type { OpenOnnxSettings } from './open.js';
import { prepare } from './prepare.js';
import { runFirst } from './run-first.js';
import { serveTexts } from './text.js';
import type { Prepared } from './prepared.js';
import { type Read, readModelFile } from './read.js';

/** A model to prepare and to run once. */
export interface Question {
  readonly path: string;
  readonly settings: Omit<OpenOnnxSettings, 'onNotice'>;
  /** Where files may be left for the asker. */
  readonly folder: string;
  /** How many bytes of external data this process has the limits for. */
  readonly external: number;
  /** If given, only so many of the nodes are run, as far as the run that sizes are learnt from; 0 asks for the paths of all. */
  readonly first?: number;
}

/** The prepared model, with its bytes in a file of the folder; how much external data it has, where that is too much; or why there is none. */
export type Answer =
  | {
      readonly prepared: Omit<Prepared, 'model' | 'types'>;
      readonly types: readonly (readonly [string, TensorType])[];
      readonly file: string;
    }
  | { readonly external: number }
  | { readonly error: { readonly code: ErrorCode; readonly message: string; readonly foreseen: boolean } };

/** What comes of running the first nodes alone: the paths of all, in the order in which they run, or why there are none. */
export type FirstAnswer =
  { readonly nodes: readonly string[] } | Extract<Answer, { external: number } | { error: unknown }>;

const FILE = 'prepared.onnx';

async function answer({ path, settings, folder, external, first }: Question): Promise<Answer | FirstAnswer> {
  try {
    const read = await legibly(readModelFile(path, settings));
    if (read.external.size > external) return { external: read.external.size };
    if (first !== undefined) return { nodes: await runFirst(path, settings, read, first) };
    const { model, types, ...prepared } = await rehearsed(path, settings, read);
    await writeFile(join(folder, FILE), model);
    return { prepared, types: [...types], file: FILE };
  } catch (error) {
    return { error: describe(error, path) };
  }
}

async function rehearsed(path: string, settings: Question['settings'], read: Read): Promise<Prepared> {
  const prepared = await prepare(path, settings, read);
  // What has more inputs is written to a file, and not run here.
  if (prepared.inputs.length > 1) return prepared;
  if (prepared.input.dtype === 'string') {
    const model = await serveTexts(prepared);
    await model.scores(['0']);
    await model.close();
    return prepared;
  }
  const model = await serve(prepared, settings);
  const [lo, hi] = settings.bounds;
  const shape = [1, ...prepared.input.shape];
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill((lo + hi) / 2);
  const points = { data, shape };
  await model.scores(points);
  if ('gradient' in model) {
    const loss = {
      term: { op: 'pick', class: 'own' },
      classes: { own: Int32Array.of(0) },
      given: {},
    } as const;
    await model.gradient(points, loss);
  }
  await model.close();
  return prepared;
}

function describe(error: unknown, path: string) {
  if (isGauntletError(error)) return { code: error.code, message: error.message, foreseen: true };
  const message = `Unexpected graph at ${path} (${String(error)}), expected one that makes sense. Export the model again.`;
  return { code: 'input' as const, message, foreseen: false };
}

process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole group: it is the parent who decides what becomes of the model.
process.on('SIGINT', () => undefined);
process.on('message', (question: Question) => {
  void answer(question).then((reply) => process.send!(reply));
});
