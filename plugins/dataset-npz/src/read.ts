import { find, readWhole, withFile } from './dataset.js';
import { type Dtype, reader } from './npy.js';
import { openZip } from './zip.js';

/** The numbers of one array, in C order. */
export interface Numbers {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

const FLOATS: readonly Dtype[] = ['f2', 'f4', 'f8'];

/**
 * Every array of an .npz file, by its name: they must hold floats.
 *
 * @throws GauntletError `input` for a file that is damaged or holds anything else.
 */
export const readNpz = (path: string): Promise<Readonly<Record<string, Numbers>>> =>
  withFile(path, async (file) => {
    const zip = await openZip(file, path);
    const arrays: [string, Numbers][] = [];
    for (const entry of zip.entries) {
      const name = entry.name.replace(/\.npy$/, '');
      const found = await find(zip, name, path, FLOATS, 'float16, float32 or float64');
      const number = reader(found.npy, await readWhole(zip, found));
      const data = Float64Array.from({ length: found.npy.count }, (_, i) => number(i));
      arrays.push([name, { data, shape: found.npy.shape }]);
    }
    return Object.fromEntries(arrays);
  });
