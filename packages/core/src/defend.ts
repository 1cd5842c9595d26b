import { add, like, rows, type Stream, stream, type Tensor } from '@gauntlet/tensor';
import {
  type Detector,
  type DetectorJob,
  GRADIENT_DRAWS,
  type Preprocessor,
  type PreprocessorJob,
  type Wrapper,
  type WrapperJob,
} from './defence.js';
import { unexpected } from './errors.js';
import {
  type Access,
  allows,
  factsOf,
  type Gradient,
  type GradientModel,
  type Model,
  type Noise,
} from './model.js';
import { isOpen } from './way.js';

/** A defence of a stack, and its options. */
export type Layer =
  | { readonly defence: Preprocessor; readonly options: unknown }
  | { readonly defence: Wrapper; readonly options: unknown }
  | { readonly defence: Detector; readonly options: unknown; readonly threshold: number };

const NO_NOISE: Noise = { keys: ['undrawn'], ids: [] };

/**
 * The system under test: a model behind a stack of defences, of which the first sees inputs first. Its inputs are those of the stack; ball
 * and box of an attack lie outside. It offers gradients as far as every defence lets them through. A defence's noise belongs to
 * (keys, place in the stack, sample, call).
 *
 * @param models the model, or the members of the wrapper that is last in the stack.
 * @throws GauntletError `input` for a stack whose parts do not fit together.
 */
export function defend(
  models: readonly [Model<Access>, ...Model<Access>[]],
  stack: readonly Layer[],
): Model<Access> {
  mustFit(models, stack);
  const build = (noise: Noise): Model<Access> => {
    const [model, ...others] = models.map((one) => one.draw?.(noise) ?? one) as [Model, ...Model[]];
    return stack.reduceRight<Model<Access>>((inner, layer, place) => {
      const source = sourceOf(noise, place);
      if (layer.defence.kind === 'preprocessor') {
        return preprocessed(inner, { ...layer, defence: layer.defence }, source);
      }
      if (layer.defence.kind === 'detector') return guarded(inner, layer as Guard);
      const members = place === stack.length - 1 ? others : [];
      const job: WrapperJob = {
        models: [inner, ...members],
        options: layer.options,
        noise: (of) => source(of)(),
      };
      const wrapped = layer.defence.wrap(job as WrapperJob<never>);
      return isOpen(layer.defence) ? wrapped : { ...wrapped, access: belowGradients(wrapped) };
    }, model);
  };
  const random = models.some(({ draw }) => draw !== undefined) || stack.some(isRandom);
  const model = build(NO_NOISE);
  return random ? { ...model, draw: build } : model;
}

const isRandom = ({ defence }: Layer) => defence.kind !== 'detector' && defence.random === true;

const belowGradients = ({ access }: Model<Access>): Access => (access === 'gradients' ? 'scores' : access);

type Guard = Extract<Layer, { readonly threshold: number }>;

/** Streams for the points of a call, as often as they are asked for. */
export type Source = (of: readonly number[]) => () => Stream[];

/** The noise of a defence, by its place in the stack. */
export function sourceOf({ keys, ids }: Noise, place: number): Source {
  const calls = new Map<number, number>();
  return (of) => {
    const own = of.map((sample) => {
      const call = calls.get(sample) ?? 0;
      calls.set(sample, call + 1);
      return ['defence', ...keys, place, ids[sample] ?? sample, call];
    });
    return () => own.map((one) => stream(...one));
  };
}

const everyone = (points: Tensor) => Array.from({ length: rows(points) }, (_, i) => i);

function preprocessed(
  model: Model<Access>,
  layer: { readonly defence: Preprocessor; readonly options: unknown },
  source: Source,
): Model<Access> {
  const { defence, options } = layer;
  const { input } = model;
  const inner = model as GradientModel;
  /** What comes out for a call, and how a gradient by that becomes one by the points. */
  const pass = async (x: Tensor, of: readonly number[]) => {
    const random = source(of);
    const job = () => ({ x, input, options: options as never, random: random() }) satisfies PreprocessorJob;
    return {
      seen: await defence.run(job()),
      back: async (gradient: Tensor) =>
        defence.backward === 'identity' ? gradient : defence.pullback!({ ...job(), gradient }),
    };
  };
  const access = isOpen(defence) ? model.access : belowGradients(model);
  const { accepts } = model;
  return {
    ...factsOf(model),
    access,
    labels: async (points: Tensor, { of = everyone(points) } = {}) =>
      inner.labels((await pass(points, of)).seen, { of }),
    scores: async (points: Tensor, { of = everyone(points) } = {}) =>
      inner.scores((await pass(points, of)).seen, { of }),
    gradient: async (points, loss, { of = everyone(points) } = {}) => {
      const once = async (): Promise<Gradient> => {
        const { seen, back } = await pass(points, of);
        const found = await inner.gradient(seen, loss, { of });
        return { ...found, gradient: await back(found.gradient) };
      };
      const first = await once();
      const more = defence.random === true ? GRADIENT_DRAWS - 1 : 0;
      let sum = first.gradient;
      for (let draw = 0; draw < more; draw++) sum = add(sum, (await once()).gradient);
      return {
        ...first,
        gradient: like(
          sum,
          sum.data.map((value) => value / (more + 1)),
        ),
      };
    },
    ...(accepts && {
      accepts: async (points: Tensor, { of = everyone(points) } = {}) =>
        accepts((await pass(points, of)).seen, { of }),
    }),
  } satisfies GradientModel;
}

function guarded(model: Model<Access>, { defence, options, threshold }: Guard): Model<Access> {
  return {
    ...model,
    accepts: async (x, of) => {
      const job: DetectorJob = { model, x, options };
      const passed = Array.from(
        await defence.suspicion(job as DetectorJob<never, never>),
        (value) => value <= threshold,
      );
      const inner = await model.accepts?.(x, of);
      return passed.map((own, i) => own && inner?.[i] !== false);
    },
  };
}

function mustFit(models: readonly Model<Access>[], stack: readonly Layer[]): void {
  const last = stack.at(-1)?.defence;
  const several = last?.kind === 'wrapper' && last.models === 'several';
  const refuse = (found: string, at: string, expected: string, remedy: string) => {
    throw unexpected({ found, at, expected, remedy });
  };
  stack.forEach(({ defence }, place) => {
    const { kind, id } = defence;
    if (kind === 'detector') {
      const access = models[0]!.access;
      if (!allows(access, defence.access))
        refuse(`model that offers ${access}`, id, defence.access, 'Choose another detector.');
      const outer = stack.slice(0, place).find((other) => other.defence.kind === 'wrapper');
      if (outer !== undefined)
        refuse('detector behind a wrapper', id, 'one before it', `Name it before ${outer.defence.id}.`);
    }
    if (kind === 'wrapper' && defence.models === 'several' && place < stack.length - 1)
      refuse(`${id} before other defences`, 'the stack', 'it in the last place', 'Name it last.');
  });
  if (models.length > 1 && !several)
    refuse(`${models.length} models`, 'the stack', 'one', 'Name a defence that takes several, last.');
  if (models.length === 1 && several)
    refuse('one model', last.id, 'several', 'Name the others with --members.');
  const [first, ...others] = models as [Model, ...Model[]];
  const facts = ({ input: { shape, bounds }, classes }: Model) =>
    `[${shape}] in [${bounds}], ${classes} classes`;
  const other = others.find((one) => facts(one as Model) !== facts(first));
  if (other !== undefined)
    refuse(
      `model of ${facts(other)}`,
      other.name,
      `${facts(first)}, as ${first.name}`,
      'Name models of one kind.',
    );
}
