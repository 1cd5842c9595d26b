import { channelsOf, GauntletError, type ModelSettings, type OpenModel, unexpected } from '@gauntlet/core';
import type { Tensor } from '@tensorflow/tfjs';
import { checkGradient } from './check.js';
import { computed, type Forward } from './forward.js';
import { asScores, differentiating, type Scores, scoring } from './model.js';
import { findTf, type Tf } from './runtime.js';
import { firstLine, type LiveModel, load, type Loaded, read } from './source.js';

/** How a tfjs model is opened, beside what every adapter knows. */
export interface OpenTfjsSettings extends ModelSettings {
  /** The tfjs to run on, such as `import * as tf from '@tensorflow/tfjs-node'`; by default the fastest that is installed. A live model needs its own. */
  readonly tf?: Tf;
  /** Whether the gradient is compared with differences before it is offered. On by default. */
  readonly check?: boolean;
}

/** A model that is ready to be asked. */
export interface Opened extends Loaded {
  readonly tf: Tf;
  readonly scores: Scores;
  readonly facts: Parameters<typeof scoring>[1];
  /** Why there are no gradients; null where there are. */
  readonly refusal: string | null;
  /** Frees what opening has made: a live model is left alone. */
  close(): void;
}

/**
 * Opens a LayersModel or a GraphModel of tfjs. Where its gradient is missing or wrong, the model offers scores, and says why by `onNotice`.
 *
 * @param source a model.json, the folder that holds it, or a live model together with its `tf`.
 * @throws GauntletError for whatever cannot be used, in one sentence.
 */
export async function openTfjs(
  source: string | LiveModel,
  settings: OpenTfjsSettings,
): Promise<OpenModel<'gradients'> | OpenModel<'scores'>> {
  const opened = await openModel(source, settings);
  const { facts, refusal } = opened;
  if (refusal === null) return served(opened);
  settings.onNotice?.(
    `${facts.name} offers no gradients, so only score- and label-based attacks run. ${refusal}`,
  );
  const { tf, scores, ...shared } = closing(opened);
  return { ...scoring(tf, facts, scores), ...shared };
}

/** Serves a model that has gradients until it is closed. */
export function served(opened: Opened): OpenModel<'gradients'> {
  const { tf, scores, ...shared } = closing(opened);
  return { ...differentiating(tf, scoring(tf, opened.facts, scores), scores), ...shared };
}

/** The same scores, until the model is closed. */
function closing({ tf, scores, facts, files, close }: Opened) {
  let closed = false;
  return {
    tf,
    files,
    scores(points: Tensor) {
      if (!closed) return scores(points);
      throw new GauntletError('internal', `Unexpected call of ${facts.name}, expected none after close().`);
    },
    async close() {
      if (!closed) close();
      closed = true;
    },
  };
}

/** Loads a model, and finds out what it takes and gives. */
export async function openModel(source: string | LiveModel, settings: OpenTfjsSettings): Promise<Opened> {
  const from = typeof source === 'string' ? await read(source) : source;
  const tf = await engineFor(source, settings);
  const loaded =
    'file' in from ? await load(tf, from) : { model: from, name: nameOf(from), files: [], json: null };
  const close = () => {
    if ('file' in from) loaded.model.dispose();
  };
  const at = typeof source === 'string' ? source : loaded.name;
  try {
    const { input, forward, parts } = computed(tf, loaded.model, settings.output, at);
    const shape = shapeOf(input, settings.shape, at);
    const normalise = normaliser(tf, channelsOf(shape, settings, at));
    const normalised =
      (each: Forward): Forward =>
      (x) =>
        each(normalise(x));
    const scores = asScores(tf, normalised(forward));
    const classes = classesOf(tf, scores, shape, at);
    const own = {
      forward: scores,
      parts: () => parts().map((part) => ({ ...part, forward: normalised(part.forward) })),
    };
    const { bounds, check = true } = settings;
    const refusal =
      tf.getBackend() === 'wasm' ? WASM : check ? checkGradient(tf, own, { shape, bounds }) : null;
    return {
      ...loaded,
      tf,
      scores,
      facts: { name: loaded.name, input: { shape, bounds }, classes },
      refusal,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

const WASM =
  'On the backend wasm, the gradient of max pooling is lost in windows whose values are all negative. Run on @tensorflow/tfjs-node, or plain tfjs on the backend cpu.';

async function engineFor(source: string | LiveModel, { tf, onNotice }: OpenTfjsSettings): Promise<Tf> {
  if (tf !== undefined) {
    await tf.ready();
    return tf;
  }
  if (typeof source !== 'string') {
    throw unexpected({
      found: 'live model without its tf',
      at: 'the settings',
      expected: 'the tfjs that it was made with',
      remedy: "Pass { tf }, as in import * as tf from '@tensorflow/tfjs-node'.",
    });
  }
  const found = await findTf();
  if (found.notice !== null) onNotice?.(found.notice);
  return found.tf;
}

const nameOf = (model: LiveModel): string =>
  'name' in model && typeof model.name === 'string' ? model.name : 'model';

/** One sample's shape; sizes that the model leaves open are taken from `hint`. */
function shapeOf(
  input: readonly (number | null)[] | undefined,
  hint: readonly number[] | undefined,
  at: string,
): readonly number[] {
  const sample = input?.slice(1) ?? hint ?? [];
  const shape = sample.map((size, axis) => size ?? (hint?.length === sample.length ? hint[axis]! : 0));
  if (shape.length > 0 && shape.every((size) => size > 0)) return shape;
  throw unexpected({
    found: `input of shape [${(input ?? []).map((size) => size ?? '?')}]`,
    at,
    expected: 'sizes that are known',
    remedy: 'Save the model with a fixed sample shape, or pass data of the right rank.',
  });
}

function normaliser(tf: Tf, channels: ReturnType<typeof channelsOf>): Forward {
  if (channels === null) return (x) => x;
  const { mean, std, dims } = channels;
  const constant = (values: readonly number[]) => tf.tensor([...values], [...dims]);
  return (x: Tensor) => tf.div(tf.sub(x, constant(mean)), constant(std));
}

/** How many classes there are, from a run. */
function classesOf(tf: Tf, scores: Scores, shape: readonly number[], at: string): number {
  let found: number[] = [];
  try {
    tf.tidy(() => void (found = scores(tf.zeros([2, ...shape])).shape));
  } catch (cause) {
    throw unexpected(
      {
        found: `model that tfjs fails to run (${firstLine(cause)})`,
        at,
        expected: 'one that runs on samples of its declared shape, without control flow',
        remedy: 'Save or convert it again.',
        code: 'unsupported',
      },
      { cause },
    );
  }
  const [count, classes = 0] = found;
  if (count === 2 && classes >= 2) return classes;
  throw unexpected({
    found: `scores of shape [${found}] for 2 samples`,
    at,
    expected: 'one row of class scores per sample: [N, classes]',
    remedy: 'Name the output that holds them with --output, or save the model as a classifier.',
    code: 'unsupported',
  });
}
