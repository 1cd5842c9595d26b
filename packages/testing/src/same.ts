import type { Tensor } from '@gauntlet/tensor';

/** Whether two tensors agree in shape and in every number. */
export const same = (a: Tensor, b: Tensor): boolean =>
  String(a.shape) === String(b.shape) && a.data.every((value, i) => value === b.data[i]);
