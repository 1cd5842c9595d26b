import { GauntletError, unexpected } from '@gauntlet/core';
import { type ModelProto, writeModel } from '@gauntlet/onnx';
import { isLarge, withWeightsOutside } from './weights.js';
import type Native from 'onnxruntime-node';
import type { InferenceSession, Tensor as NativeTensor } from 'onnxruntime-node';

/** The part of onnxruntime-node that is used here. */
export type Runtime = typeof Native;

/** Named tensors that go into a run, or come out of it. */
export type Feeds = Readonly<Record<string, NativeTensor>>;

/** A loaded model, ready to run. */
export interface Session {
  readonly native: InferenceSession;
  /** Runs the model and gives the named outputs. */
  run(feeds: Feeds, outputs: readonly string[]): Promise<Feeds>;
  release(): Promise<void>;
}

let loading: Promise<Runtime> | undefined;

/**
 * ONNX Runtime, loaded at the first call.
 *
 * @throws GauntletError with the command that installs it, where it is missing.
 */
export const loadRuntime = (): Promise<Runtime> =>
  (loading ??= importRuntime(() => import('onnxruntime-node')));

/** Loads the runtime by the given import; apart from `loadRuntime` for tests. */
export async function importRuntime(load: () => Promise<{ default: Runtime }>): Promise<Runtime> {
  try {
    const { default: runtime } = await load();
    runtime.env.logLevel = 'fatal';
    return runtime;
  } catch (cause) {
    const missing = (cause as { code?: string } | null)?.code === 'ERR_MODULE_NOT_FOUND';
    throw unexpected(
      {
        found: missing ? 'missing onnxruntime-node' : `broken onnxruntime-node (${firstLine(cause)})`,
        at: 'the node_modules folder',
        expected: 'ONNX Runtime, which runs .onnx files',
        remedy: 'Install it with: npm install onnxruntime-node --onnxruntime-node-install=skip',
      },
      { cause },
    );
  }
}

/** The options of ONNX Runtime, and the folder of weights that are not in the bytes. */
export interface SessionSettings extends InferenceSession.SessionOptions {
  readonly outside?: string | null;
}

/** Creates a session over a model, or over the bytes of one; `at` names the model in messages. */
export async function createSession(
  model: Uint8Array | ModelProto,
  at: string,
  { outside = null, ...options }: SessionSettings = {},
): Promise<Session> {
  const { InferenceSession } = await loadRuntime();
  const create = (bytes: Uint8Array, folder: string | null) =>
    InferenceSession.create(bytes, {
      logSeverityLevel: 4,
      ...options,
      extra: {
        session: {
          // Threads that wait by turning round and round are quick within a call, and take the processor from the host between two.
          force_spinning_stop: '1',
          ...(folder !== null && { model_external_initializers_file_folder_path: folder }),
        },
      },
    });
  const loaded = ArrayBuffer.isView(model)
    ? create(model, outside)
    : outside === null && isLarge(model)
      ? withWeightsOutside(model, create)
      : create(writeModel(model), outside);
  const native = await loaded.catch(
    refused(at, 'model that ONNX Runtime refuses to load', 'a valid ONNX model'),
  );
  return {
    native,
    run: (feeds, outputs) =>
      native
        .run(feeds, [...outputs], { logSeverityLevel: 4 })
        .catch(
          refused(
            at,
            'model that ONNX Runtime fails to run',
            'one that runs on samples of its declared shape',
          ),
        ),
    release: () => native.release(),
  };
}

/** Turns an error of the runtime, which may be of another realm, into one sentence. */
const refused =
  (at: string, what: string, expected: string) =>
  (cause: unknown): never => {
    if (cause instanceof GauntletError) throw cause;
    const reason = firstLine(cause);
    const found = `${what} (${reason})`;
    const [wanted, remedy] = /^Could not find an implementation/.test(reason)
      ? ['ops that it has code for', 'Export the model with an older opset, or without this op.']
      : [expected, 'Export the model again.'];
    throw unexpected({ found, at, expected: wanted, remedy }, { cause });
  };

/** What a native error says, in one line without its source locations. */
function firstLine(cause: unknown): string {
  const message = String((cause as { message?: unknown } | null)?.message ?? cause);
  const line = message
    .replace(/\s+/g, ' ')
    .replace(/(?:\/[\w.+-]+)+\.(?:cc|h):\d+ /g, '')
    .replace(/[\w:<>,&*\s]*onnxruntime::[\w:~<>]+\([^)]*\)(?: const)? /g, '')
    .replace(
      /Non-zero status code returned while running (\S+) node\. Name:'([^']*)' ?/,
      (_all, op: string, name: string) => `${op}${name && ` "${name}"`}: `,
    )
    .trim();
  return line.length > 240 ? `${line.slice(0, 240)}...` : line.replace(/\.$/, '');
}
