import type { Layer } from '../layer.js';
import { activations } from './activations.js';
import { convolutions } from './convolutions.js';
import { merges } from './merges.js';
import { normalisations } from './normalisations.js';
import { pools } from './pools.js';
import { products } from './products.js';
import { shapes } from './shapes.js';

/** Every kind of layer that can be written in ONNX, by tfjs's names. */
export const LAYERS: ReadonlyMap<string, Layer> = new Map(
  Object.entries({
    ...activations,
    ...convolutions,
    ...merges,
    ...normalisations,
    ...pools,
    ...products,
    ...shapes,
  }),
);
