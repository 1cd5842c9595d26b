import type { Expansion, Rules } from '../rule.js';
import { activations } from './activations.js';
import { attentions } from './attention.js';
import { convolutions } from './conv.js';
import { deformations } from './deform.js';
import { contractions } from './einsum.js';
import { elementwise } from './elementwise.js';
import { picks } from './indexing.js';
import { layouts } from './layout.js';
import { losses } from './losses.js';
import { products } from './matmul.js';
import { normalisations } from './normalisation.js';
import { pools } from './pool.js';
import { quantisations } from './quantisation.js';
import { accumulations, quantisedForms } from './quantised.js';
import { recurrences } from './recurrent.js';
import { reductions } from './reduce.js';
import { resamplings } from './resize.js';
import { grids, samplings } from './sampling.js';
import { slices } from './slicing.js';
import { spectra, spectrograms } from './spectrum.js';
import { trigonometry } from './trigonometry.js';

/** Every op that gradients pass through. */
export const RULES: Rules = {
  ...accumulations,
  ...activations,
  ...contractions,
  ...convolutions,
  ...elementwise,
  ...grids,
  ...layouts,
  ...normalisations,
  ...picks,
  ...pools,
  ...products,
  ...quantisations,
  ...reductions,
  ...resamplings,
  ...slices,
  ...spectra,
  ...trigonometry,
};

/** Ops that are written out in other ops before they are differentiated. */
export const EXPANSIONS: Readonly<Record<string, Expansion>> = {
  ...attentions,
  ...deformations,
  ...losses,
  ...recurrences,
  ...samplings,
  ...spectrograms,
};

/**
 * Ops of which the gradient is that of others, written out beside them: they stay in the graph, so that what it computes is what the file
 * says, bit for bit. By name, with the domain in front where it is not the standard one.
 */
export const STAND_INS: Readonly<Record<string, Expansion>> = quantisedForms;

/** Ops whose results do not move when their inputs do: gradients end here. */
export const CUT: ReadonlySet<string> = new Set(
  [
    'ArgMax ArgMin And BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil ConstantOfShape Equal EyeLike Floor Greater',
    'GreaterOrEqual Hardmax IsInf IsNaN Less LessOrEqual NonMaxSuppression NonZero Not Or RandomNormalLike RandomUniformLike',
    'Round Shape Sign Size Xor',
  ].flatMap((line) => line.split(' ')),
);
