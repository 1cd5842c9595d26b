import { fail } from '@gauntlet/onnx';

import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { elements, fixed } from '../value.js';

const LETTERS = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'];

/** The equation with a letter for every axis: ellipses spelt out, the implicit output written down. */
function parse({ node, x, attr, path }: Site): { readonly terms: string[]; readonly output: string } {
  const equation = attr.string('equation', '').replace(/\s/g, '');
  const [left = '', right] = equation.split('->');
  const free = LETTERS.filter((letter) => !equation.includes(letter));
  const given = left.split(',');
  const bad = () =>
    fail(
      'bad-attribute',
      `Unexpected equation "${equation}" at ${path}, expected one term per input with a letter per axis. Export the model again.`,
    );
  if (given.length !== node.input.length) bad();
  const hidden = given.map((term, i) => (term.includes('...') ? x(i).dims.length - (term.length - 3) : 0));
  const most = Math.max(0, ...hidden);
  // Broadcasting lines ellipses up at their ends.
  const dots = (count: number) => free.slice(most - count, most).join('');
  const terms = given.map((term, i) => term.replace('...', dots(hidden[i]!)));
  if (terms.some((term, i) => term.length !== x(i).dims.length) || free.length < most) bad();
  const counts = [...given.join('').replace(/\./g, '')];
  const once = counts
    .filter((letter) => counts.indexOf(letter) === counts.lastIndexOf(letter))
    .sort()
    .join('');
  return { terms, output: right === undefined ? dots(most) + once : right.replace('...', dots(most)) };
}

const einsum: Rule = (site) => {
  const { node, x, g, ops, path } = site;
  const { terms, output } = parse(site);
  return node.input.map((_, i) => () => {
    const others = terms.flatMap((term, j) => (j === i ? [] : [{ term, value: x(j) }]));
    const operands = [{ term: output, value: g }, ...others];
    const wanted = [...new Set(terms[i]!)];
    const known = wanted.filter((letter) => operands.some(({ term }) => term.includes(letter)));
    const type = { dtype: g.dtype, dims: known.map((letter) => sizeOf(letter, operands)) };
    const equation = `${operands.map(({ term }) => term).join(',')}->${known.join('')}`;
    const found = ops.emit(
      'Einsum',
      operands.map(({ value }) => value),
      { equation },
      type,
    );
    // Letters that only this input has were summed alone: their gradient is the same along the axis.
    const all = ops.unsqueeze(
      found,
      wanted.flatMap((letter, axis) => (known.includes(letter) ? [] : [axis])),
    );
    return wanted.length === terms[i]!.length
      ? all
      : onDiagonal(site, all, wanted.join(''), terms[i]!, fixedSizes(x(i), terms[i]!, path));
  });
};

const sizeOf = (letter: string, operands: readonly { term: string; value: Value }[]) => {
  const sizes = operands.flatMap(({ term, value }) =>
    term.includes(letter) ? [value.dims[term.indexOf(letter)]!] : [],
  );
  return sizes.find((size) => size !== 1) ?? sizes[0]!;
};

const fixedSizes = (x: Value, term: string, path: string) =>
  new Map(
    [...term].map(
      (letter, axis) => [letter, term.indexOf(letter) === axis ? 0 : fixed(x.dims[axis]!, path)] as const,
    ),
  );

/** A letter that a term repeats reads a diagonal; identity matrices put the gradient back on it. */
function onDiagonal(
  { ops, path }: Site,
  value: Value,
  letters: string,
  term: string,
  sizes: ReadonlyMap<string, number>,
): Value {
  const free = LETTERS.filter((letter) => !term.includes(letter));
  const masks: { term: string; value: Value }[] = [];
  const target = [...term].map((letter, axis) => {
    if (term.indexOf(letter) === axis) return letter;
    const size = sizes.get(letter)!;
    const identity = new Float32Array(elements([size, size], path)).map((_, at) =>
      at % (size + 1) === 0 ? 1 : 0,
    );
    const [fresh = '?'] = free.splice(0, 1);
    const eye = ops.constant({ dtype: 'float32', dims: [size, size], data: identity });
    masks.push({ term: letter + fresh, value: ops.cast(eye, value.dtype) });
    return fresh;
  });
  const operands = [{ term: letters, value }, ...masks];
  const equation = `${operands.map((operand) => operand.term).join(',')}->${target.join('')}`;
  const dims = [...term].map((letter) => value.dims[letters.indexOf(letter)]!);
  return ops.emit(
    'Einsum',
    operands.map((operand) => operand.value),
    { equation },
    { dtype: value.dtype, dims },
  );
}

/** Sums of products in index notation. */
export const contractions: Rules = { Einsum: einsum };
