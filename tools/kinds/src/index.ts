/** Tiny real plugins outside images, for the kinds of space and of poisoning that no package has yet: examples that run as tests. */
export { default as decisionTree } from './decision-tree.js';
export { default as labelFlipping } from './label-flipping.js';
export { default as modelReplacement } from './model-replacement.js';
export { default as wordSubstitution } from './word-substitution.js';
export { substituted, type Synonyms, type Words, words } from './words.js';
