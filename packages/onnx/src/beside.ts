import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';

/** A file that a model names, and its size in bytes. */
export interface Beside {
  readonly file: string;
  readonly size: number;
}

/**
 * The file behind a name that a model file holds. Nothing outside of `folder` is touched: neither by the name nor by links.
 *
 * @param folder the model's folder, as `realpath` gives it.
 * @returns `outside` for a name that leads out of the folder or to something other than a file.
 */
export async function fileBeside(folder: string, name: string): Promise<Beside | 'outside' | 'missing'> {
  const parts = name.split(/[/\\]/);
  if (name === '' || name.includes('\0') || isAbsolute(name) || parts.includes('..')) return 'outside';
  const file = await realpath(join(folder, name)).catch(() => null);
  if (file === null) return 'missing';
  if (!file.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return 'outside';
  const facts = await stat(file);
  return facts.isFile() ? { file, size: facts.size } : 'outside';
}
