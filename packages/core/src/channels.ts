import type { ModelSettings } from './adapter.js';
import { unexpected } from './errors.js';

/** A mean and a deviation for each channel, and the shape, batch axis first, that lines them up with the axis of channels. */
export interface Channels {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly dims: readonly number[];
}

/**
 * What `mean` and `std` ask for, or null if that is nothing. Channels stand first or last in a sample.
 *
 * @param shape one sample's shape.
 * @param at the model, for the message.
 * @throws GauntletError `input` for numbers that fit no axis of channels, and for deviations that are not above 0.
 */
export function channelsOf(
  shape: readonly number[],
  settings: Pick<ModelSettings, 'mean' | 'std'>,
  at: string,
): Channels | null {
  const { mean = [0], std = [1] } = settings;
  const count = Math.max(mean.length, std.length);
  const whole = [mean, std].every((values) => values.length === 1 || values.length === count);
  const usable = mean.every(Number.isFinite) && std.every((value) => Number.isFinite(value) && value > 0);
  const axis = count === 1 ? 0 : [0, shape.length - 1].find((each) => shape[each] === count);
  if (!usable || !whole || axis === undefined) {
    throw unexpected({
      found: `mean [${mean}] and standard deviation [${std}]`,
      at: `the settings for ${at}`,
      expected: `one number each, or one per channel of samples [${shape}], and deviations above 0`,
      remedy: 'Set --mean and --std to those that the model was trained with.',
    });
  }
  if (mean.every((value) => value === 0) && std.every((value) => value === 1)) return null;
  const spread = (values: readonly number[]) =>
    Array.from({ length: count }, (_, i) => values[i] ?? values[0]!);
  const dims = [1, ...shape.map((_, each) => (each === axis ? count : 1))];
  return { mean: spread(mean), std: spread(std), dims };
}
