import type { Space } from '@gauntlet/core';
import { within } from '@gauntlet/tensor';

/** Texts in which at most `epsilon` words were replaced by a synonym; all else of a text stays as it is. */
export interface Words extends Space<readonly string[]> {
  readonly norm: 'words';
  /** What may stand in the place of each word of a text; nothing, for most. */
  synonyms(sample: number): readonly (readonly string[])[];
}

/** Synonyms by the word, in lower case, that they may replace. */
export type Synonyms = Readonly<Record<string, readonly string[]>>;

/** A text as what stands between words (even places) and words (odd places). */
const pieces = (text: string): readonly string[] => text.split(/([A-Za-z]+)/);

const wordsOf = (text: string) => pieces(text).filter((_, place) => place % 2 === 1);

/** The text with another word in one place; the first word is in place 0. */
export const substituted = (text: string, place: number, word: string): string =>
  pieces(text)
    .with(2 * place + 1, word)
    .join('');

/** The space of this radius around texts. */
export function words(centre: readonly string[], synonyms: Synonyms, epsilon: number): Words {
  const own = centre.map(pieces);
  const allowed = centre.map((text) =>
    wordsOf(text).map((word) =>
      Object.hasOwn(synonyms, word.toLowerCase()) ? synonyms[word.toLowerCase()]! : [],
    ),
  );
  /** How many words differ; infinite where anything else does. */
  const distance = (point: string, sample: number): number => {
    const [now, before] = [pieces(point), own[sample]!];
    const changed = before.flatMap((piece, place) => (now[place] === piece ? [] : [place]));
    const whole = now.length === before.length && changed.every((place) => place % 2 === 1);
    return whole && changed.every((place) => allowed[sample]![place >> 1]!.includes(now[place]!))
      ? changed.length
      : Infinity;
  };
  return {
    ...{ centre, norm: 'words', epsilon, distance },
    contains: (point, sample) =>
      distance(point, sample) < Infinity && within(distance(point, sample), epsilon),
    synonyms: (sample) => allowed[sample]!,
  };
}
