import type { Rule, Rules } from '../rule.js';
import { axesOf } from '../value.js';

const passes: Rule = ({ g }) => [() => g];
const reshapes: Rule = ({ x, g, ops: { reshape } }) => [() => reshape(g, x(0))];

const transpose: Rule = ({ x, g, attr, path, ops }) => {
  const rank = x(0).dims.length;
  const perm = axesOf(attr.ints('perm', [...Array(rank).keys()].reverse()), rank, path);
  return [
    () =>
      ops.transpose(
        g,
        perm.map((_, axis) => perm.indexOf(axis)),
      ),
  ];
};

/** Ops that move elements without changing them. */
export const layouts: Rules = {
  Identity: passes,
  Dropout: passes,
  Cast: passes,
  CastLike: passes,
  Expand: passes,
  Flatten: reshapes,
  Reshape: reshapes,
  Squeeze: reshapes,
  Unsqueeze: reshapes,
  Transpose: transpose,
};
