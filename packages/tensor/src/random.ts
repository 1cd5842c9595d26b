import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

const { cos, log, PI, sqrt } = Math;

/** An endless, reproducible source of random numbers. */
export interface Stream {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Uniform among the integers 0 .. n-1. */
  integer(n: number): number;
  /** Standard normal (Box and Muller 1958). */
  normal(): number;
}

/**
 * The stream that belongs to these keys, and to nothing else: the same keys always give the same numbers, whatever
 * was drawn elsewhere. Key a sample's stream by (seed, sample id, attack, epsilon, restart), never by its place in a batch.
 */
export function stream(...keys: readonly (string | number)[]): Stream {
  const generator = xoroshiro128plusFromState(digest(JSON.stringify(keys)));
  return {
    uniform: () => uniformFloat64(generator),
    integer: (n) => uniformInt(generator, 0, n - 1),
    normal: () => {
      const radius = sqrt(-2 * log(1 - uniformFloat64(generator)));
      return radius * cos(2 * PI * uniformFloat64(generator));
    },
  };
}

/** 128 bits that depend on every character: four FNV-1a hashes with different offsets, then murmur3's finaliser. */
function digest(text: string): number[] {
  return [0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35].map((offset) => {
    let hash = offset;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) | 0;
  });
}
