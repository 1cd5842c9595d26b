import type { Rules } from '../rule.js';
import { elementwise } from './elementwise.js';
import { linear } from './linear.js';
import { monotone } from './monotone.js';

/** How the outputs of each op are bounded. */
export const RULES: Rules = { ...monotone, ...linear, ...elementwise };
