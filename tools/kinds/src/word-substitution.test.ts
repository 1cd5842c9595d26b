import { readFileSync } from 'node:fs';
import { openTexts } from '@gauntlet/adapter-onnx';
import { evadeIn, type SpaceTask } from '@gauntlet/core';
import { stream } from '@gauntlet/tensor';
import attack from './word-substitution.js';
import { substituted, type Synonyms, type Words, words } from './words.js';

/** Sentences of movie reviews, and synonyms of WordNet; see fixtures/README.md. */
const { sentences, labels, synonyms } = JSON.parse(
  readFileSync('fixtures/text/movie-reviews.json', 'utf8'),
) as { sentences: string[]; labels: number[]; synonyms: Synonyms };

const model = await openTexts('fixtures/text/movie-reviews.onnx', { trial: false });
afterAll(() => model.close());

const answers = await model.labels(sentences);
const right = [...sentences.keys()].filter((i) => answers[i] === labels[i]);
const x = right.map((i) => sentences[i]!);
const y = Int32Array.from(right, (i) => labels[i]!);

const task = (more: Partial<SpaceTask<Words>> = {}): SpaceTask<Words> => ({
  ...{ attack, options: {}, model, x, ids: right, clean: y, epsilon: 3 },
  goal: { kind: 'untargeted', classes: y, confidence: 0 },
  space: (epsilon) => words(x, synonyms, epsilon),
  ...{ restarts: 1, seed: 0, signal: new AbortController().signal },
  ...more,
});

const space = words(x, synonyms, 1);

/** Every text in which one word was replaced, and whose it is. */
const neighbours = x.flatMap((text, sample) =>
  space
    .synonyms(sample)
    .flatMap((all, place) => all.map((word) => ({ sample, text: substituted(text, place, word) }))),
);

it('changes the answer by one word wherever one word can', async () => {
  const wrong = await model.labels(neighbours.map(({ text }) => text));
  const breakable = new Set(
    neighbours.filter(({ sample }, k) => wrong[k] !== y[sample]).map(({ sample }) => sample),
  );
  const { distance } = await evadeIn(task());
  expect(breakable.size).toBeGreaterThan(10);
  distance.forEach((far, i) => expect(far === 1).toBe(breakable.has(i)));
});

it('breaks four texts in ten by three words, where random words break one or two', async () => {
  const { reached, points, distance, labels: found } = await evadeIn(task());
  const random = x.map((text, i) => {
    const places = space.synonyms(i).flatMap((all, place) => (all.length > 0 ? [place] : []));
    const draw = stream('random words', i);
    return places
      .sort(() => draw.uniform() - 0.5)
      .slice(0, 3)
      .reduce((at, place) => {
        const all = space.synonyms(i)[place]!;
        return substituted(at, place, all[draw.integer(all.length)]!);
      }, text);
  });
  const lucky = (await model.labels(random)).filter((label, i) => label !== y[i]).length;
  const broken = reached.reduce((sum, hit) => sum + hit, 0);
  expect(broken).toBeGreaterThan(0.4 * x.length);
  expect(lucky).toBeLessThan(0.5 * broken);
  // Whoever asks again finds the same: texts of the space, of another answer.
  const wide = words(x, synonyms, 3);
  expect(await model.labels(points)).toEqual(found);
  points.forEach((point, i) => {
    expect(wide.contains(point, i)).toBe(true);
    expect(point === x[i]).toBe(!reached[i]);
    if (reached[i]) expect(wide.distance(point, i)).toBe(distance[i]);
  });
});

it('keeps to its queries, and reaches targets', async () => {
  const limited = await evadeIn(task({ queries: 30 }));
  expect(Math.max(...limited.queries)).toBeLessThanOrEqual(30);
  const classes = y.map((label) => 1 - label);
  const goal = { kind: 'targeted', classes, confidence: 0 } as const;
  expect((await evadeIn(task({ goal }))).distance).toEqual((await evadeIn(task())).distance);
});

describe('the space of substituted words', () => {
  const { contains, distance } = words(
    ['A good, long film.'],
    { good: ['fine', 'well'], long: ['lengthy'] },
    1,
  );
  it.each([
    ['A good, long film.', 0],
    ['A fine, long film.', 1],
    ['A fine, lengthy film.', 2],
    ['A bad, long film.', Infinity],
    ['A good long film.', Infinity],
    ['A good, long, long film.', Infinity],
    ['A good, long film', Infinity],
  ])('%s', (text, far) => {
    expect(distance(text, 0)).toBe(far);
    expect(contains(text, 0)).toBe(far <= 1);
  });

  it('without a radius holds all of them, and nothing else', () => {
    const all = words(['A good film.'], { good: ['fine'] }, Infinity);
    expect([all.contains('A fine film.', 0), all.contains('A poor film.', 0)]).toEqual([true, false]);
  });
});
