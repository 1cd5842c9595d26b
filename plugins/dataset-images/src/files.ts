import { readdir, readFile, realpath } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { unexpected } from '@gauntlet/core';
import { parse } from 'csv-parse/sync';

/** One image of a folder. */
export interface ImageFile {
  /** Its path in the folder, with forward slashes. */
  readonly id: string;
  readonly path: string;
  readonly label: number;
}

const IMAGES = ['.png', '.jpg', '.jpeg'];
const LIST = 'labels.csv';

/** The images of a folder. */
export interface Listed {
  readonly images: readonly ImageFile[];
  /** Names of classes by their ids; left out where names are ids. */
  readonly classes?: readonly string[];
}

/** The images of a folder with their class ids: as labels.csv says, or else by subfolder. */
export async function listImages(folder: string): Promise<Listed> {
  const content = (await contentOf(folder)).filter(({ name }) => !name.startsWith('.'));
  const listed = content.some(({ name }) => name === LIST)
    ? await fromList(folder)
    : await fromFolders(
        folder,
        content.filter((entry) => entry.isDirectory()).map(({ name }) => name),
      );
  // Names that are all whole numbers are the ids; otherwise ids count the sorted names.
  const names = sorted([...new Set(listed.map(({ name }) => name))]);
  const numeric = names.every((name) => /^\d{1,9}$/.test(name));
  const ids = new Map(names.map((name, i) => [name, numeric ? Number(name) : i]));
  return {
    images: listed.map(({ id, path, name }) => ({ id, path, label: ids.get(name)! })),
    ...(!numeric && { classes: names }),
  };
}

const contentOf = (folder: string) =>
  readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw unexpected(
      {
        found: cause.code === 'ENOENT' ? 'missing folder' : `folder that cannot be read (${cause.code})`,
        at: folder,
        expected: 'a folder of images',
        remedy: 'Check the path.',
      },
      { cause },
    );
  });

interface Named {
  readonly id: string;
  readonly path: string;
  /** The name of its class. */
  readonly name: string;
}

async function fromFolders(folder: string, classes: readonly string[]): Promise<readonly Named[]> {
  const images: Named[] = [];
  for (const name of sorted(classes)) {
    const files = (await readdir(join(folder, name))).filter((file) => isImage(file));
    // A class without images still counts: the ids of the others depend on it.
    if (files.length === 0) {
      throw unexpected({
        found: 'missing images',
        at: join(folder, name),
        expected: 'PNG or JPEG images of this class',
        remedy: 'Add some, or remove the folder if it is no class.',
      });
    }
    images.push(
      ...sorted(files).map((file) => ({ id: `${name}/${file}`, path: join(folder, name, file), name })),
    );
  }
  if (images.length > 0) return images;
  throw unexpected({
    found: 'neither subfolders nor a labels.csv',
    at: folder,
    expected: 'a subfolder of images for each class, or a labels.csv with the columns file and label',
    remedy: 'Sort the images into folders, or list them.',
  });
}

async function fromList(folder: string): Promise<readonly Named[]> {
  const at = join(folder, LIST);
  const root = await realpath(folder);
  const images: Named[] = [];
  for (const [i, { file, label }] of readList(await readFile(at, 'utf8'), at).entries()) {
    const line = `row ${i + 1} of ${at}`;
    const wrong = (found: string, expected: string) =>
      unexpected({ found, at: line, expected, remedy: 'Mend the row.' });
    if (label === undefined || label === '') throw wrong('missing label', 'a class id or name');
    if (file === undefined || !isImage(file)) throw wrong(`file '${file}'`, 'a PNG or JPEG image');
    const path = await realpath(join(root, file)).catch(() => null);
    if (path === null) throw wrong(`file '${file}', which is not there`, 'an image in the folder');
    // After links are followed: data must not make us read what lies elsewhere.
    if (!path.startsWith(root + sep)) throw wrong(`file '${file}'`, 'an image inside the folder');
    images.push({ id: file.replaceAll('\\', '/'), path, name: label });
  }
  const seen = new Set<string>();
  const twice = images.find(({ id }) => seen.size === seen.add(id).size);
  if (images.length > 0 && twice === undefined) return images;
  throw unexpected({
    found: twice === undefined ? 'no rows' : `file '${twice.id}' twice`,
    at,
    expected: 'each image once',
    remedy: 'Mend the list.',
  });
}

function readList(text: string, at: string): readonly { readonly file?: string; readonly label?: string }[] {
  try {
    const rows = parse(text, { columns: true, trim: true, bom: true, skip_empty_lines: true }) as Record<
      string,
      string
    >[];
    if (rows.every((row) => 'file' in row && 'label' in row)) return rows;
    throw new Error(`its columns are ${Object.keys(rows[0]!).join(', ')}`);
  } catch (cause) {
    throw unexpected(
      {
        found: `list that cannot be read (${(cause as Error).message})`,
        at,
        expected: 'comma-separated values with the columns file and label',
        remedy: 'Save it again with the header file,label.',
      },
      { cause },
    );
  }
}

const isImage = (file: string) => IMAGES.includes(extname(file).toLowerCase());

const sorted = (names: readonly string[]) => [...names].sort((a, b) => (a < b ? -1 : 1));
