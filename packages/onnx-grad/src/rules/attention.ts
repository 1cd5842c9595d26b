import { codeOf, dtypeOf, fail } from '@gauntlet/onnx';

import type { Expansion, Site } from '../rule.js';
import type { Value } from '../value.js';
import { fixed, shown } from '../value.js';

/** [B, S, N H] -> [B, N, S, H]; what has heads already stays. */
function inHeads({ x, attr, ops, path }: Site, i: number, attribute: string): Value {
  const value = x(i);
  if (value.dims.length === 4) return value;
  const [heads, width] = [attr.int(attribute, 0), fixed(value.dims[2] ?? 0, path)];
  if (value.dims.length !== 3 || !(heads >= 1) || width % heads !== 0) {
    fail(
      'bad-shape',
      `Unexpected shape ${shown(value.dims)} with ${heads} heads at ${path}, expected 4 axes, or 3 of which the heads share the last. Export the model again.`,
    );
  }
  return ops.transpose(ops.reshapeTo(value, [0, 0, heads, width / heads]), [0, 2, 1, 3]);
}

/** [B, N, S, H] -> [B, S, N H] */
function withoutHeads({ ops, path }: Site, value: Value): Value {
  const width = fixed(value.dims[1]!, path) * fixed(value.dims[3]!, path);
  return ops.reshapeTo(ops.transpose(value, [0, 2, 1, 3]), [0, 0, width]);
}

/** Each head of keys or values stands for as many queries: [B, K, S, H] -> [B, K group, S, H]. */
function shared({ ops, path }: Site, value: Value, queries: Value): Value {
  const [heads, wanted] = [fixed(value.dims[1]!, path), fixed(queries.dims[1]!, path)];
  if (heads === wanted) return value;
  if (wanted % heads !== 0) {
    fail(
      'bad-shape',
      `Unexpected ${heads} heads of keys at ${path}, expected a divisor of ${wanted}. Export the model again.`,
    );
  }
  const repeated = ops.emit('Expand', [ops.unsqueeze(value, [2]), ops.ints([1, 1, wanted / heads, 1, 1])]);
  return ops.reshapeTo(repeated, [0, wanted, -1, fixed(value.dims[3]!, path)]);
}

/** Positions along an axis as int64, ready to broadcast against [B, N, queries, keys]. */
function positions({ ops }: Site, like: Value, axis: number, end: readonly number[]): Value {
  const size = ops.squeeze(ops.emit('Gather', [ops.shape(like), ops.ints([axis])]), [0]);
  const type = { dtype: 'int64' as const, dims: [like.dims[axis]!] };
  return ops.unsqueeze(ops.emit('Range', [ops.int(0), size, ops.int(1)], {}, type), end);
}

/** Where a query may look, as conditions that broadcast against the scores [B, N, queries, keys]. */
function permissions(site: Site, queries: Value, keys: Value): Value[] {
  const { x, has, attr, ops } = site;
  const at = () => positions(site, keys, 2, []);
  const valid = has(6) ? ops.unsqueeze(x(6), [1, 2, 3]) : undefined;
  const causal = () => {
    const rows = positions(site, queries, 2, [1]);
    const count = (value: Value) => ops.emit('Gather', [ops.shape(value), ops.ints([2])]);
    if (has(4)) return ops.lessOrEqual(at(), ops.add(rows, count(x(4))));
    return ops.lessOrEqual(at(), valid === undefined ? rows : ops.add(rows, ops.sub(valid, count(queries))));
  };
  return [
    ...(has(3) && x(3).dtype === 'bool' ? [x(3)] : []),
    ...(valid === undefined ? [] : [ops.less(at(), valid)]),
    ...(attr.int('is_causal', 0) === 0 ? [] : [causal()]),
  ];
}

/** What stands for minus infinity among scores: the lowest number, which leaves a query that may look nowhere a number. */
const LOWEST: Readonly<Record<string, number>> = {
  float16: -65504,
  float32: -3.4028234663852886e38,
  float64: -Number.MAX_VALUE,
};

/** softmax(cap(scale Q K') + mask) V, and where cached keys and values come before, those first. */
const attention: Expansion = (site) => {
  const { x, has, attr, ops, node, path } = site;
  const queries = inHeads(site, 0, 'q_num_heads');
  const joined = (i: number, past: number) => {
    const fresh = inHeads(site, i, 'kv_num_heads');
    return has(past) ? ops.concat([x(past), fresh], 2) : fresh;
  };
  const [keys, values] = [joined(1, 4), joined(2, 5)];
  const scale = attr.float('scale', 1 / Math.sqrt(fixed(queries.dims[3]!, path)));
  const [cap, mode] = [attr.float('softcap', 0), attr.int('qk_matmul_output_mode', 0)];
  const products = ops.matMul(
    ops.mul(queries, Math.sqrt(scale)),
    ops.mul(ops.transpose(shared(site, keys, queries), [0, 1, 3, 2]), Math.sqrt(scale)),
  );
  const capped = cap > 0 ? ops.mul(ops.tanh(ops.div(products, cap)), cap) : products;
  const lowest = LOWEST[capped.dtype] ?? site.refuse(`type ${capped.dtype}`);
  const biased = has(3) && x(3).dtype !== 'bool' ? ops.add(capped, x(3)) : capped;
  const conditions = permissions(site, queries, keys);
  const allowed = conditions.length > 0 ? conditions.reduce(ops.and) : undefined;
  const masked = allowed ? ops.where(allowed, biased, lowest) : biased;
  const precision = attr.int('softmax_precision', codeOf(masked.dtype));
  const exact = ops.cast(masked, dtypeOf(precision) ?? masked.dtype);
  const spread = ops.cast(ops.emit('Softmax', [exact], { axis: 3 }), masked.dtype);
  // A query that may look nowhere gets zeros.
  const weights = allowed ? ops.mul(spread, ops.cast(allowed, spread.dtype)) : spread;
  const found = ops.matMul(weights, shared(site, values, queries));
  return [
    node.output[0] ? (x(0).dims.length === 4 ? found : withoutHeads(site, found)) : undefined,
    keys,
    values,
    [products, capped, masked, weights][mode],
  ];
};

/** Turns pairs of elements by the angles of their position: the two halves of each head, or neighbours. */
const rotaryEmbedding: Expansion = (site) => {
  const { x, has, attr, ops, path } = site;
  const heads = inHeads(site, 0, 'num_heads');
  const width = fixed(heads.dims[3]!, path);
  const turned = attr.int('rotary_embedding_dim', 0) || width;
  const half = turned / 2;
  const interleaved = attr.int('interleaved', 0) !== 0;
  // [B, S, half], picked by position if positions are given -> [B, 1, S, half]
  const angles = (i: number) =>
    ops.unsqueeze(has(3) ? ops.emit('Gather', [x(i), x(3)], { axis: 0 }) : x(i), [1]);
  const [cos, sin] = [angles(1), angles(2)];
  const part = (k: number) =>
    interleaved ? ops.slice(heads, 3, k, turned, 2) : ops.slice(heads, 3, k * half, (k + 1) * half);
  const [a, b] = [part(0), part(1)];
  const pair = [ops.sub(ops.mul(cos, a), ops.mul(sin, b)), ops.add(ops.mul(sin, a), ops.mul(cos, b))];
  const joined = interleaved
    ? ops.reshapeTo(
        ops.concat(
          pair.map((value) => ops.unsqueeze(value, [4])),
          4,
        ),
        [0, 0, 0, turned],
      )
    : ops.concat(pair, 3);
  const all = turned === width ? joined : ops.concat([joined, ops.slice(heads, 3, turned, width)], 3);
  return [x(0).dims.length === 4 ? all : withoutHeads(site, all)];
};

/** Attention and what belongs to it, written out in products and softmax. */
export const attentions: Readonly<Record<string, Expansion>> = {
  Attention: attention,
  RotaryEmbedding: rotaryEmbedding,
};
