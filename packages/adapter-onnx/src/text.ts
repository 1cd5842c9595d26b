import { type OpenModel, unexpected } from '@gauntlet/core';
import { argmax, type Tensor, tensor } from '@gauntlet/tensor';
import type { OpenOnnxSettings } from './open.js';
import { prepare } from './prepare.js';
import type { Prepared } from './prepared.js';
import { createSession, loadRuntime } from './runtime.js';
import { prepareApart } from './trial.js';

/** How a model of texts is opened. */
export type OpenTextsSettings = Pick<OpenOnnxSettings, 'output' | 'trial' | 'onNotice'>;

/** A classifier whose samples are texts. */
export type TextModel = OpenModel<'scores', readonly string[]>;

/**
 * Opens an ONNX file whose input are texts, one for each sample, such as skl2onnx makes of a TfidfVectorizer and what follows it. It offers scores.
 *
 * @throws GauntletError for whatever cannot be used, in one sentence.
 */
export async function openTexts(path: string, settings: OpenTextsSettings = {}): Promise<TextModel> {
  const all = { ...settings, bounds: [0, 1], text: true } as const;
  const prepared = settings.trial === false ? await prepare(path, all) : await prepareApart(path, all);
  for (const notice of prepared.notices) settings.onNotice?.(notice);
  return serveTexts(prepared);
}

/** So many texts go into one run. */
const MOST = 1024;

/** Serves a prepared model of texts until it is closed. */
export async function serveTexts(prepared: Prepared): Promise<TextModel> {
  const { name, input, classes, batch, files } = prepared;
  if (batch !== 'any') {
    const remedy = 'Export it with a dynamic batch axis.';
    throw unexpected({ found: `batches of ${batch}`, at: name, expected: 'any number of texts', remedy });
  }
  const { Tensor: Native } = await loadRuntime();
  const session = await createSession(prepared.model, name, { outside: prepared.outside });
  const scores = async (texts: readonly string[]): Promise<Tensor> => {
    const data = new Float32Array(texts.length * classes);
    for (let from = 0; from < texts.length; from += MOST) {
      const some = texts.slice(from, from + MOST);
      const points = new Native('string', some, [some.length, ...input.shape]);
      const { [prepared.scores]: found } = await session.run({ [input.name]: points }, [prepared.scores]);
      data.set(found!.data as Float32Array, from * classes);
    }
    return tensor(data, [texts.length, classes]);
  };
  return {
    ...{ name, input: null, classes, access: 'scores', files, scores },
    labels: async (texts) => argmax(await scores(texts)),
    close: () => session.release(),
  };
}
