import { unexpected } from '@gauntlet/core';
import { type DType, isFloat, readValueInfo, type ValueInfoProto } from '@gauntlet/onnx';

/** Whether samples may be of a type: floats that hold what float32 holds, or nearly. */
export const isWide = (dtype: DType): boolean => isFloat(dtype) && dtype !== 'bfloat16';

/** Whether it may be a batch of samples. */
export function isBatch(info: ValueInfoProto): boolean {
  const type = readValueInfo(info);
  return type !== undefined && isWide(type.dtype) && type.dims.length > 1;
}

/**
 * The inputs that are differentiated by; at least one.
 *
 * @param names what was asked for: all of floats if empty; if left out, there must be one input.
 * @throws GauntletError for names that no input has, for several inputs where one was expected, and where none holds floats.
 */
export function wantedOf(
  infos: readonly ValueInfoProto[],
  names: readonly string[] | undefined,
  path: string,
): readonly ValueInfoProto[] {
  const listed = infos.map(({ name }) => `"${name}"`).join(', ');
  if (infos.length === 0 || (names === undefined && infos.length > 1)) {
    throw unexpected({
      found: `${infos.length} inputs (${listed})`,
      at: path,
      expected: 'a model with one input, the samples',
      remedy: 'Export the model with every other input fixed.',
      code: 'unsupported',
    });
  }
  const unknown = names?.find((wanted) => !infos.some(({ name }) => name === wanted));
  if (unknown !== undefined) {
    throw unexpected({
      found: `input "${unknown}"`,
      at: path,
      expected: `one of its inputs (${listed})`,
      remedy: 'Correct --input.',
    });
  }
  if (names !== undefined && names.length > 0) return infos.filter(({ name }) => names.includes(name));
  if (infos.length === 1) return infos;
  const floats = infos.filter((info) => isFloat(readValueInfo(info)?.dtype ?? 'bool'));
  if (floats.length > 0) return floats;
  throw unexpected({
    found: `no input of floats among ${listed}`,
    at: path,
    expected: 'one to differentiate by',
    remedy: 'Export the model with such an input.',
    code: 'unsupported',
  });
}
