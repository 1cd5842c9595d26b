import { fail } from '@gauntlet/onnx';
import { z } from 'zod';

/** Deeper than any model of models. */
const DEEPEST = 200;

/** tfjs's own way of reading Python's names: `data_format` is `dataFormat`. */
export const camel = (name: string): string =>
  name.replace(/_+(\w|$)/g, (_, letter: string) => letter.toUpperCase());

/** A JSON value with its keys in camel case, and without keys that hold null: Python writes absent options so. */
export function camelled(json: unknown, depth = 0): unknown {
  if (depth > DEEPEST) {
    fail(
      'bad-graph',
      `Unexpected nesting of more than ${DEEPEST} levels at the model, expected layers. Save it again.`,
    );
  }
  if (Array.isArray(json)) return json.map((item) => camelled(item, depth + 1));
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [camel(key), camelled(value, depth + 1)]),
  );
}

/**
 * A value as a schema reads it.
 *
 * @param at what it belongs to, for the message: `layer "conv" (Conv2D)`.
 * @throws OnnxError `bad-graph`, naming the first place that is wrong, what stands there and what should.
 */
export function parse<S extends z.ZodType>(schema: S, json: unknown, at: string): z.output<S> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  const found = path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)?.[key], json);
  const shown = found === undefined ? 'no' : `${JSON.stringify(found).slice(0, 60)} as`;
  return fail(
    'bad-graph',
    `Unexpected ${shown} ${path.join('.') || 'content'} at ${at}, expected ${message.replace(/^.*expected /, '')}. Save the model again, or run it with tfjs.`,
  );
}

/** One of some words, in whichever of Python's and JavaScript's spelling. */
export const word = <const W extends readonly string[]>(...words: W) =>
  z.string().transform(camel).pipe(z.enum(words));

const size = z.int().min(0).max(1_000_000);

/** A size for each of `rank` axes; one number stands for all of them. */
export const sizes = (rank: number) =>
  z.union([size.transform((one) => Array.from({ length: rank }, () => one)), z.array(size).length(rank)]);

/** How much is added or cut before and after two axes: one number, one for each axis, or two. */
export const margins = z.union([
  size.transform((one) => [
    [one, one],
    [one, one],
  ]),
  z
    .array(size)
    .length(2)
    .transform((each) => each.map((one) => [one, one])),
  z.array(z.array(size).length(2)).length(2),
]);

/** Where the channels stand. */
export const dataFormat = word('channelsLast', 'channelsFirst').default('channelsLast');

/** Channels at the end, for layers in which tfjs goes wrong with channels first. */
export const onlyLast = word('channelsLast').default('channelsLast');

/** Whether the border is filled up so that only strides make the result smaller. */
export const padding = word('valid', 'same').default('valid');
