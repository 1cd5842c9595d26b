import { join } from 'node:path';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Row } from '@gauntlet/core';
import npz from '@gauntlet/dataset-npz';
import { far, grouped } from './findings.js';
import { type Layout, layoutOf, perturbationOf, pictureOf } from './picture.js';
import { encodePng, type Picture } from './png.js';
import type { Run } from './read-run.js';
import { foreign } from './foreign.js';
import { nameOf } from './words.js';

/** Pictures of broken samples. */
export interface Gallery {
  readonly layout: Pick<Layout, 'width' | 'height'>;
  readonly pieces: readonly Piece[];
  /** Broken samples, each once for each attack: those shown, and those left out. */
  readonly broken: number;
}

/** A broken sample in pictures, as data URLs. */
export interface Piece {
  readonly row: Row;
  readonly clean: string;
  readonly perturbation: string;
  readonly adversarial: string;
  /** How many times the perturbation is magnified. */
  readonly gain: number;
}

/** As many are looked at; and no more than so many characters are put into a page. */
const MOST = { pieces: 240, characters: 8_000_000 };

/** The samples of rows: one row's clean sample and what came back for it. */
interface Pairs {
  readonly shape: readonly number[];
  at(place: number): Promise<{ readonly clean: Float32Array; readonly adversarial: Float32Array }>;
  close(): Promise<void>;
}

/**
 * Pictures of what the attacks of a run broke so far, each sample once for each attack, where it was moved least: the nearest, and a spread over
 * the others. Null where the samples are no pictures, or are not in the folder.
 *
 * @throws GauntletError `input` where `adversarial.npz` does not belong to the rows.
 */
export async function readGallery(folder: string, run: Run): Promise<Gallery | null> {
  const pairs = await (run.audit === null ? partsOf(folder, run) : finishedOf(folder, run));
  const layout = pairs && layoutOf(pairs.shape);
  const { box } = run.plan.threatModel;
  const { chosen, broken } = choose(run.rows);
  const pieces: Piece[] = [];
  let characters = 0;
  try {
    if (pairs === null || layout === null) return null;
    for (const place of chosen) {
      const { clean, adversarial } = await pairs.at(place);
      const perturbation = perturbationOf(clean, adversarial, layout, box);
      const piece = {
        row: run.rows[place]!,
        clean: urlOf(pictureOf(clean, layout, box)),
        perturbation: urlOf(perturbation),
        adversarial: urlOf(pictureOf(adversarial, layout, box)),
        gain: perturbation.gain,
      };
      characters += piece.clean.length + piece.perturbation.length + piece.adversarial.length;
      if (characters > MOST.characters && pieces.length > 0) break;
      pieces.push(piece);
    }
    return { layout, pieces, broken };
  } finally {
    await pairs?.close();
  }
}

/** What a finished run published. */
async function finishedOf(folder: string, run: Run): Promise<Pairs | null> {
  const path = join(folder, 'adversarial.npz');
  if (!(await stat(path).catch(() => null))) return null;
  const read = (x: string) => npz.open(path, { bounds: run.plan.threatModel.box, options: { x, y: 'y' } });
  const [clean, adversarial] = [await read('x'), await read('x_adv')];
  if ([clean, adversarial].some(({ samples }) => samples !== run.rows.length)) {
    throw foreign(`adversarial.npz of ${clean.samples} rows beside ${run.rows.length} outcomes`, run.name);
  }
  return {
    shape: clean.shape,
    async at(place) {
      const [x, xAdv] = [await clean.batch(place, place + 1), await adversarial.batch(place, place + 1)];
      if (x.y[0] !== run.rows[place]!.label)
        throw foreign(`adversarial.npz whose row ${place} has another label`, run.name);
      return { clean: x.x.data, adversarial: xAdv.x.data };
    },
    close: async () => undefined,
  };
}

/** What an unfinished run has so far: the float32 numbers of its rows, in their order. */
async function partsOf(folder: string, { plan, rows }: Run): Promise<Pairs | null> {
  const { shape } = plan;
  if (shape === undefined) return null;
  const bytes = 4 * shape.reduce((product, n) => product * n, 1);
  const files = await Promise.all(
    ['x.part', 'x_adv.part'].map((name) => open(join(folder, name)).catch(() => null)),
  );
  const close = async () => {
    for (const file of files) await file?.close();
  };
  const [x, xAdv] = files;
  const sizes = await Promise.all(files.map(async (file) => (file === null ? 0 : (await file.stat()).size)));
  if (x == null || xAdv == null || sizes.some((size) => size < bytes * rows.length)) {
    await close();
    return null;
  }
  const read = async (file: FileHandle, place: number) => {
    const numbers = new Float32Array(bytes / 4);
    await file.read(new Uint8Array(numbers.buffer), 0, bytes, place * bytes);
    return numbers;
  };
  return {
    shape,
    at: async (place) => ({ clean: await read(x, place), adversarial: await read(xAdv, place) }),
    close,
  };
}

const urlOf = (picture: Picture) => `data:image/png;base64,${encodePng(picture).toString('base64')}`;

/** The places of rows to show, the attacks in turn, so that wherever it stops each has had its share. */
export function choose(rows: readonly Row[]): {
  readonly chosen: readonly number[];
  readonly broken: number;
} {
  const nearest = new Map<string, number>();
  rows.forEach((row, place) => {
    if (row.verdict !== 'broken') return;
    const key = JSON.stringify([nameOf(row), row.sample]);
    const known = nearest.get(key);
    if (known === undefined || far(row) < far(rows[known]!)) nearest.set(key, place);
  });
  const byAttack = [...grouped([...nearest.values()], (place) => nameOf(rows[place]!)).values()];
  const share = Math.ceil(MOST.pieces / Math.max(1, byAttack.length));
  const ranked = byAttack.map((places) =>
    nearestAndSpread(
      [...places].sort((a, b) => far(rows[a]!) - far(rows[b]!)),
      share,
    ),
  );
  const turns = Math.max(0, ...ranked.map(({ length }) => length));
  const inTurn = Array.from({ length: turns }, (_, turn) =>
    ranked.flatMap((places) => (turn < places.length ? [places[turn]!] : [])),
  ).flat();
  return { chosen: inTurn.slice(0, MOST.pieces), broken: nearest.size };
}

/** Of some places in order: every other one from the front, the others from all over the rest. */
function nearestAndSpread(places: readonly number[], most: number): readonly number[] {
  if (places.length <= most) return places;
  const front = Math.ceil(most / 2);
  const rest = places.length - front;
  return Array.from({ length: most }, (_, i) =>
    i % 2 === 0
      ? places[i / 2]!
      : places[front + Math.floor((((i - 1) / 2 + 1) * rest) / Math.floor(most / 2)) - 1]!,
  );
}
