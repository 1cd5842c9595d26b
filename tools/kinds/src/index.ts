/** Tiny real plugins outside images, one for each kind of space and of poisoning: examples that run as tests. */
export { default as decisionTree } from './decision-tree.js';
