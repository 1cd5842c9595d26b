import {
  type Dataset,
  type DatasetSettings,
  type DatasetSource,
  isGauntletError,
  parseOptions,
} from '@gauntlet/core';
import { row, rows } from '@gauntlet/tensor';
import { datasetFacts } from './facts.js';
import { type Check, ensure, register, type Registration } from './runner.js';
import { same } from './same.js';

/** Files to test a source of data sets with. All samples are 8-bit images with channels first, all of one size. */
export interface DatasetFiles {
  /** A data set of its kind: four samples or more. */
  readonly path: string;
  /** What it holds: each sample's numbers from 0 to 255, channels first, and the class ids, in the order of the data set. */
  readonly x: readonly (readonly number[])[];
  readonly y: readonly number[];
  readonly shape: readonly [channels: number, height: number, width: number];
  /** A data set with one sample changed. */
  readonly other: string;
  /** Paths that it must refuse to open, or to read all of: missing, cut off, of too few labels. */
  readonly damaged: readonly string[];
}

/** How a check is run: the source, its options, and files. */
export interface DatasetSubject {
  readonly source: DatasetSource;
  readonly options: unknown;
  readonly files: DatasetFiles;
}

const open = (
  { source, options, files }: DatasetSubject,
  { path = files.path, ...settings }: Partial<DatasetSettings> & { readonly path?: string } = {},
): Promise<Dataset> => source.open(path, { bounds: [0, 255], shape: files.shape, ...settings, options });

const all = (dataset: Dataset) => dataset.batch(0, dataset.samples);

/** What every source of data sets must do. Each check throws a sentence when it fails. */
export const datasetChecks: Readonly<Record<string, Check<DatasetSubject>>> = {
  ...datasetFacts,

  async 'knows its own paths, and leaves others'({ source, files: { path, other } }) {
    ensure(
      source.opens(path) && source.opens(other),
      `Unexpected refusal of ${path}, expected that \`opens\` knows it.`,
    );
    ensure(
      !source.opens('nowhere/data.of-no-kind'),
      'Unexpected claim on nowhere/data.of-no-kind, expected its own kind only.',
    );
  },

  async 'gives what the files hold'(subject) {
    const { x, y, shape } = subject.files;
    const dataset = await open(subject);
    const batch = await all(dataset);
    ensure(
      dataset.samples === y.length && String(dataset.shape) === String(shape) && dataset.name !== '',
      `Unexpected ${dataset.samples} samples of shape [${dataset.shape}], expected ${y.length} of [${shape}], and a name.`,
    );
    ensure(
      String(batch.x.shape) === String([y.length, ...shape]) && String([...batch.y]) === String(y),
      `Unexpected shape [${batch.x.shape}] or labels ${[...batch.y]}, expected [${[y.length, ...shape]}] and ${y}.`,
    );
    const wrong = x.findIndex((own, i) =>
      own.some((value, j) => Math.abs(value - row(batch.x, i)[j]!) > 1e-4),
    );
    ensure(wrong < 0, `Unexpected numbers of sample ${wrong}, expected those that its file holds.`);
  },

  async 'gives the same samples, however they are cut into batches'(subject) {
    const dataset = await open(subject);
    const whole = await all(dataset);
    const cut = Math.floor(dataset.samples / 2);
    for (const [from, to] of [
      [0, cut],
      [cut, dataset.samples],
      [1, 2],
    ] as const) {
      const some = await dataset.batch(from, to);
      const agree = some.ids.every(
        (id, k) =>
          id === whole.ids[from + k] &&
          some.y[k] === whole.y[from + k] &&
          row(some.x, k).every((value, j) => value === row(whole.x, from + k)[j]),
      );
      ensure(
        agree && some.ids.length === to - from && rows(some.x) === to - from,
        `Unexpected batch from ${from} to ${to}, expected these samples of the whole.`,
      );
    }
  },

  async 'serves calls that overlap'(subject) {
    const dataset = await open(subject);
    const whole = await all(dataset);
    const calls = Array.from({ length: dataset.samples }, (_, i) => dataset.batch(i, i + 1));
    (await Promise.all(calls)).forEach(({ ids, x }, i) =>
      ensure(
        ids[0] === whole.ids[i] && row(x, 0).every((value, j) => value === row(whole.x, i)[j]),
        `Unexpected sample ${i} from calls that overlap, expected that of one call.`,
      ),
    );
  },

  async 'hands out numbers that callers may change'(subject) {
    const dataset = await open(subject);
    const before = await all(dataset);
    const kept = { x: before.x.data.slice(), y: before.y.slice() };
    before.x.data.fill(-1);
    before.y.fill(-1);
    const after = await all(dataset);
    ensure(
      same(after.x, { ...after.x, data: kept.x }) && String(after.y) === String(kept.y),
      'Unexpected change of the data set by a change of a batch, expected new arrays for each.',
    );
  },

  async 'has ids that stay and differ, and a fingerprint of its content'(subject) {
    const { other } = subject.files;
    const [one, again, changed] = [
      await open(subject),
      await open(subject),
      await open(subject, { path: other }),
    ];
    const ids = async (dataset: Dataset) => (await all(dataset)).ids;
    ensure(
      String(await ids(one)) === String(await ids(again)) && new Set(await ids(one)).size === one.samples,
      'Unexpected ids, expected one for each sample, and the same each time.',
    );
    ensure(
      one.fingerprint === again.fingerprint && one.fingerprint !== changed.fingerprint,
      'Unexpected fingerprint, expected the same for the same content, and another for another.',
    );
  },

  async 'gives numbers in the bounds: 8-bit ones are divided by 255 where these are not 0 to 255'(subject) {
    const [plain, scaled] = [
      await all(await open(subject)),
      await all(await open(subject, { bounds: [0, 1] })),
    ];
    const wrong = scaled.x.data.findIndex((value, i) => Math.abs(value * 255 - plain.x.data[i]!) > 1e-3);
    ensure(
      wrong < 0,
      `Unexpected ${scaled.x.data[wrong]} in [0, 1] of ${plain.x.data[wrong]}, expected it divided by 255.`,
    );
  },

  async 'lays samples out as the model takes them'(subject) {
    const { shape } = subject.files;
    const [channels, height, width] = shape;
    const last = [height, width, channels];
    const first = await all(await open(subject));
    const opened = await open(subject, { shape: last });
    const own = (await open(subject)).as?.(last);
    for (const dataset of own ? [opened, own] : [opened]) {
      const turned = await all(dataset);
      ensure(
        String(dataset.shape) === String(last) && String(turned.x.shape) === String([rows(first.x), ...last]),
        `Unexpected shape [${dataset.shape}], expected [${last}] where the model has that.`,
      );
      const agree = first.x.data.every((value, n) => {
        const [i, rest] = [Math.floor(n / (channels * height * width)), n % (channels * height * width)];
        const [c, place] = [Math.floor(rest / (height * width)), rest % (height * width)];
        return row(turned.x, i)[place * channels + c] === value;
      });
      ensure(agree, 'Unexpected numbers with channels last, expected those with channels first, moved.');
    }
  },

  async 'refuses damaged data in a sentence'(subject) {
    for (const path of subject.files.damaged) {
      const outcome = await open(subject, { path })
        .then(all)
        .then(
          () => null,
          (error: unknown) => error,
        );
      ensure(
        isGauntletError(outcome) && outcome.code === 'input' && outcome.message.startsWith('Unexpected '),
        `Unexpected ${outcome === null ? 'success' : String(outcome)} with ${path}, expected a GauntletError of bad input.`,
      );
    }
  },
};

/**
 * Registers every check of `datasetChecks` for a source of data sets.
 *
 * @param settings.files makes the files, once for each check.
 * @param settings.options options to test with; the defaults of the schema otherwise.
 * @param settings.skip checks that do not hold for this source, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testDataset(
  source: DatasetSource,
  settings: Registration & { files: () => Promise<DatasetFiles>; options?: Record<string, unknown> },
): void {
  const { files, options = {} } = settings;
  register(source.id, datasetChecks, settings, async () => ({
    source,
    options: await parseOptions(source.options, options, source.id),
    files: await files(),
  }));
}
