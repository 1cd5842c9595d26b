import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Graph, writeModel } from '@gauntlet/onnx';
import { gauntlet, ROOT } from './testing/packed.js';

const { writeNpz } = await import('@gauntlet/dataset-npz');

import.meta.jest.setTimeout(120_000);

let user = '';
beforeAll(() => {
  user = mkdtempSync(join(tmpdir(), 'open-size-'));
  const place = (name: string, dims: readonly (number | string)[], perm: readonly number[]) => {
    const graph = Graph.empty(18);
    const x = graph.node('Transpose', [graph.input('x', 'float32', dims)], { perm });
    const scores = graph.node('Flatten', [
      graph.node('GlobalAveragePool', [graph.node('Sub', [x, graph.scalar('float32', 0.5)])]),
    ]);
    graph.nodes('Identity', [scores], 1, {}, { outputs: ['y'] });
    graph.output('y', 'float32');
    writeFileSync(join(user, name), writeModel(graph.model));
  };
  place('model.onnx', ['N', 3, 'height', 'width'], [0, 1, 2, 3]);
  place('channels-last.onnx', ['N', 'height', 'width', 3], [0, 3, 1, 2]);
});
afterAll(() => rmSync(user, { recursive: true, force: true }));

const audit = (...more: string[]) => gauntlet(user, ['audit', 'model.onnx', '--attack', 'fgsm', ...more]);
const samplesOf = (folder: string) =>
  (JSON.parse(readFileSync(join(user, folder, 'audit.json'), 'utf8')) as { data: { samples: number } }).data
    .samples;

describe('a model of open height and width takes the size of the data', () => {
  it('in an npz, and a radius that is tiny beside the box is told', async () => {
    const x = Float32Array.from({ length: 2 * 3 * 5 * 7 }, (_, i) => i);
    await writeNpz(join(user, 'data.npz'), [
      { name: 'x', dtype: '<f4', shape: [2, 3, 5, 7], data: [new Uint8Array(x.buffer)] },
      { name: 'y', dtype: '|u1', shape: [2], data: [Uint8Array.of(2, 1)] },
    ]);
    expect(
      await audit('--data', 'data.npz', '--bounds', '0,255', '--epsilon', '0.01,0.1', '--out', 'npz'),
    ).toMatchObject({
      status: 0,
      err: 'gauntlet: epsilon 0.1 is tiny beside the box [0, 255]: epsilon is in the units of x.\n',
    });
    expect(samplesOf('npz')).toBe(2);
  });

  it.each(['model.onnx', 'channels-last.onnx'])('%s in a folder of images', async (model) => {
    const { cases } = JSON.parse(readFileSync(`${ROOT}fixtures/files/images.json`, 'utf8')) as {
      cases: Record<string, { file: string }>;
    };
    mkdirSync(join(user, 'images/0'), { recursive: true });
    const out = `images-${model}`;
    const [name, { file }] = Object.entries(cases)[0]!;
    writeFileSync(join(user, 'images/0', name), Buffer.from(file, 'base64'));
    const args = ['--data', 'images', '--epsilon', '0.1', '--out', out];
    expect(await gauntlet(user, ['audit', model, '--attack', 'fgsm', ...args])).toMatchObject({
      status: 0,
      err: '',
    });
    expect(samplesOf(out)).toBe(1);
  });
});
