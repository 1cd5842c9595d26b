import { stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type ModelFile, type Port, unexpected } from '@gauntlet/core';
import { atomically } from './atomically.js';
import { untilAborted } from './interrupt.js';
import { mustExist } from './files.js';
import type { Terminal } from './terminal.js';

/** Makes a model file from another and writes it, whole or not at all; says what it takes and gives. */
export async function writeModelFile(
  { model, out }: { readonly model: string; readonly out: string },
  make: () => Promise<ModelFile>,
  terminal: Terminal,
): Promise<void> {
  const to = resolve(terminal.cwd, out);
  await mustExist(model, 'a model file');
  await mustExist(dirname(to), 'a folder to write to');
  const file = await untilAborted(terminal.signal, make());
  await mustNotBe(to, [model, ...file.files.map((name) => join(dirname(model), name))], out);
  await atomically(to, (temporary) => writeFile(temporary, file.bytes));
  terminal.out(
    [
      `Inputs:  ${list(file.inputs)}`,
      `Outputs: ${list(file.outputs)}`,
      `File: ${out} (${sizeOf(file.bytes)})`,
      '',
    ].join('\n'),
  );
}

/** Refuses to replace what the file is made from, whatever name it goes by. */
export async function mustNotBe(out: string, sources: readonly string[], name: string): Promise<void> {
  const identity = (path: string) =>
    stat(path, { bigint: true }).then(
      ({ dev, ino }) => `${dev} ${ino}`,
      () => path,
    );
  const own = await identity(out);
  for (const source of sources) {
    if ((await identity(source)) !== own) continue;
    throw unexpected({
      found: 'the model itself',
      at: name,
      expected: 'another file to write to',
      remedy: 'Name another file with --out.',
    });
  }
}

const sizeOf = ({ length }: Uint8Array) =>
  length < 1e5 ? `${Math.ceil(length / 1e3)} kB` : `${(length / 1e6).toFixed(1)} MB`;

const MOST = 6;

function list(ports: readonly Port[]): string {
  const shown = ports.slice(0, MOST).map(({ name, dtype, dims }) => `${name} ${dtype}[${dims.join(', ')}]`);
  return [...shown, ...(ports.length > MOST ? [`and ${ports.length - MOST} more`] : [])].join(', ');
}
