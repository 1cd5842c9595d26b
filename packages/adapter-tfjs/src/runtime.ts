import util from 'node:util';
import { type RuntimeFacts, unexpected } from '@gauntlet/core';
import type * as Tfjs from '@tensorflow/tfjs';

/** tfjs, from whichever of its packages. */
export type Tf = typeof Tfjs;

/** An engine of tfjs, and what is worth telling about it. */
export interface FoundTf {
  readonly tf: Tf;
  readonly notice: string | null;
}

const NATIVE = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];
const PLAIN = '@tensorflow/tfjs';

/** Imports a package by name. */
export type Load = (name: string) => Promise<object>;

/**
 * The fastest tfjs that is installed: tfjs-node-gpu, tfjs-node, or plain tfjs on the CPU.
 *
 * @param load how a package is imported; apart for tests.
 * @throws GauntletError with the command that installs it, where there is none.
 */
export async function findTf(load: Load = (name) => import(name) as Promise<object>): Promise<FoundTf> {
  const broken: string[] = [];
  // tfjs-node 4.22 calls this function, which is gone from Node 23 on (tfjs issue 8609).
  Object.assign(util, { isNullOrUndefined: (x: unknown) => x === null || x === undefined });
  for (const name of NATIVE) {
    const tf = await load(name).catch((error: unknown) => {
      // An addon that is missing is an error without a code: whatever it is, the next package is tried.
      if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') broken.push(name);
      return null;
    });
    if (tf !== null) return { tf: own(tf), notice: null };
  }
  const plain = await load(PLAIN).catch((cause: unknown) => {
    throw unexpected(
      {
        found: broken.length > 0 ? `${broken.join(' and ')} without a working addon` : 'no tfjs',
        at: 'the installed packages',
        expected: '@tensorflow/tfjs-node or @tensorflow/tfjs',
        remedy: 'Run npm install @tensorflow/tfjs-node.',
      },
      { cause },
    );
  });
  const tf = own(plain);
  // One engine serves all copies of tfjs in a process: whoever has chosen a backend keeps it.
  if (tf.getBackend()) return { tf, notice: null };
  tf.enableProdMode();
  await tf.setBackend('cpu');
  const why =
    broken.length > 0
      ? `${broken.join(' and ')} cannot be loaded: its addon is missing or broken`
      : '@tensorflow/tfjs-node is not installed';
  return {
    tf,
    notice: `tfjs runs in plain JavaScript, 20 to 60 times slower than its native addon, since ${why}.`,
  };
}

/**
 * The tfjs that is found, once it has computed a gradient.
 *
 * @throws GauntletError with the remedy, where it is missing or broken.
 */
export async function tfFacts(load?: Load): Promise<RuntimeFacts> {
  const { tf, notice } = await findTf(load);
  const name = `tfjs on ${tf.getBackend()}`;
  const slopeOfSquare = tf.grad((x) => x.mul(x).sum());
  const [slope] = tf.tidy(() => slopeOfSquare(tf.tensor1d([3])).dataSync());
  if (slope === 6) return { name, version: tf.version_core, notice };
  throw unexpected({
    found: `gradient ${slope} of the square of 3`,
    at: name,
    expected: '6',
    remedy: 'Install tfjs again.',
  });
}

/** The package itself, of a module that has it as its default export or not. */
const own = (module: object): Tf => ('default' in module ? module.default : module) as Tf;
