import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { GauntletError, OpenModel } from '@gauntlet/core';
import { crossEntropy } from '@gauntlet/kit';
import { stream, tensor } from '@gauntlet/tensor';
import adapter from './index.js';
import { openOnnx } from './open.js';
import { temporary } from './testing/files.js';

const FIXTURES = fileURLToPath(new URL('../../../fixtures/tfjs/', import.meta.url));
const MODEL = `${FIXTURES}digits/model.json`;
const folder = temporary();
afterAll(() => folder.remove());

const points = () => {
  const random = stream('layers model');
  return tensor(
    Float32Array.from({ length: 4 * 784 }, () => random.uniform()),
    [4, 28, 28, 1],
  );
};

describe('a LayersModel of tfjs', () => {
  it('answers as the ONNX file that was made of it, in a process apart too', async () => {
    const notices: string[] = [];
    const settings = { bounds: [0, 1], onNotice: (notice: string) => void notices.push(notice) } as const;
    const own = (await openOnnx(MODEL, settings)) as OpenModel<'gradients'>;
    const file = (await openOnnx(`${FIXTURES}digits.onnx`, { bounds: [0, 1], trial: false })) as typeof own;
    expect(notices).toEqual([
      expect.stringMatching(/^model\.json is a model of tfjs: it was converted to ONNX/),
    ]);
    expect(own).toMatchObject({
      input: { shape: [28, 28, 1] },
      classes: 10,
      access: 'gradients',
      files: ['weights.bin'],
    });
    const loss = crossEntropy({ kind: 'untargeted', classes: Int32Array.of(1, 2, 3, 4), confidence: 0 });
    expect(await own.gradient(points(), loss)).toEqual(await file.gradient(points(), loss));
    await Promise.all([own.close(), file.close()]);
  });

  it('is refused as unsupported where a layer cannot be written, so that another engine may be asked', async () => {
    const text = readFileSync(MODEL, 'utf8').replace('"class_name":"ReLU"', '"class_name":"Mine"');
    folder.file('weights.bin', readFileSync(`${FIXTURES}digits/weights.bin`));
    const opening = openOnnx(folder.file('model.json', text), { bounds: [0, 1], trial: false });
    await expect(opening).rejects.toMatchObject({ code: 'unsupported' } satisfies Partial<GauntletError>);
  });

  it('is what convert takes, and nothing else', async () => {
    const { bytes, files } = await adapter.convert!(MODEL);
    expect(Buffer.from(bytes)).toEqual(readFileSync(`${FIXTURES}digits.onnx`));
    expect(files).toEqual(['weights.bin']);
    await expect(adapter.convert!('digits.onnx')).rejects.toThrow(/^Unexpected ONNX model at digits\.onnx/);
  });
});
