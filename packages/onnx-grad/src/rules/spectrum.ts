import { fail, int64s } from '@gauntlet/onnx';

import type { Expansion, Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { axisOf, elements, fixed } from '../value.js';
import { place } from './placing.js';

/** A DFT along an axis of numbers [..., 1] or complex numbers [..., 2]; the axis is an attribute up to opset 19. */
function transform(
  { ops, graph, path }: Site,
  x: Value,
  axis: number,
  attributes: { readonly inverse?: number; readonly onesided?: number },
): Value {
  const size = fixed(x.dims[axis]!, path);
  const dims = x.dims.with(-1, 2).with(axis, attributes.onesided ? Math.floor(size / 2) + 1 : size);
  const type = { dtype: x.dtype, dims };
  return graph.opset < 20
    ? ops.emit('DFT', [x], { ...attributes, axis }, type)
    : ops.emit('DFT', [x, undefined, ops.int(axis)], attributes, type);
}

/** y = F x with F[k, n] = exp(-2 pi i k n / N): dx = conj(F)^T dy is N times the inverse, whose own dx is F dy / N. */
const dft: Rule = (site) => [
  () => {
    const { x, g, attr, constant, graph, path, ops, refuse } = site;
    const rank = x(0).dims.length;
    const along = graph.opset < 20 ? attr.int('axis', 1) : (constant(2)?.[0] ?? -2);
    const axis = axisOf(along, rank, path);
    const inverse = attr.int('inverse', 0) !== 0;
    if (inverse && attr.int('onesided', 0) !== 0) refuse('one-sided inverse');
    const given = fixed(x(0).dims[axis]!, path);
    const length = elements([constant(1)?.[0] ?? given], path);
    // Nothing arrives at the half that a one-sided result leaves out; what was cut off or padded at the end gets nothing.
    const whole = place(ops, g, axis, 0, 1, length, path);
    const back = transform(site, whole, axis, { inverse: Number(!inverse) });
    const scaled = ops.mul(back, inverse ? 1 / length : length);
    const fitted = place(ops, scaled, axis, 0, 1, given, path);
    return x(0).dims.at(-1) === 1 ? ops.slice(fitted, rank - 1, 0, 1) : fitted;
  },
];

/** A signal [N, samples, 1 or 2] as the DFTs of its windowed frames [N, frames, frame length, 1 or 2]. */
const stft: Expansion = (site) => {
  const { x, has, constant, attr, path, ops } = site;
  const samples = fixed(x(0).dims[1] ?? 0, path);
  const step = constant(1)![0]!;
  const length = constant(3)?.[0] ?? fixed(x(2).dims[0] ?? 0, path);
  const count = Math.floor((samples - length) / step) + 1;
  if (!(step >= 1 && length >= 1 && count >= 1)) {
    fail(
      'bad-attribute',
      `Unexpected frames of ${length} samples every ${step} of ${samples} at ${path}, expected at least one. Export the model again.`,
    );
  }
  const places = Array.from(
    { length: elements([count, length], path) },
    (_, i) => Math.floor(i / length) * step + (i % length),
  );
  const frames = ops.emit('Gather', [x(0), ops.constant(int64s(places, [count, length]))], { axis: 1 });
  const windowed = has(2) ? ops.mul(frames, ops.unsqueeze(x(2), [1])) : frames;
  return [transform(site, windowed, 2, { onesided: attr.int('onesided', 1) })];
};

/** Fourier transforms. */
export const spectra: Rules = { DFT: dft };

/** Fourier transforms of the frames of a signal, written out. */
export const spectrograms: Readonly<Record<string, Expansion>> = { STFT: stft };
