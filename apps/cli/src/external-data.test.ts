import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Graph, TensorProto_DataLocation, writeModel } from '@gauntlet/onnx';
import { gauntlet } from './testing/packed.js';

const { writeNpz } = await import('@gauntlet/dataset-npz');

import.meta.jest.setTimeout(120_000);

let user = '';
const place = (name: string, content: Uint8Array) => writeFileSync(join(user, name), content);
const weights = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

beforeAll(async () => {
  user = mkdtempSync(join(tmpdir(), 'external-data-'));
  const graph = Graph.empty(18);
  const x = graph.input('x', 'float32', ['N', 2]);
  const matrix = graph.constant({ dtype: 'float32', dims: [2, 2], data: new Float32Array(4) });
  graph.nodes('MatMul', [x, matrix], 1, {}, { outputs: ['y'] });
  graph.output('y', 'float32');
  const tensor = graph.proto.initializer[0]!;
  tensor.rawData = new Uint8Array();
  tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
  const location = {
    $typeName: 'onnx.StringStringEntryProto',
    key: 'location',
    value: 'weights.bin',
  } as const;
  tensor.externalData = [location];
  place('model.onnx', writeModel(graph.model));
  await writeNpz(join(user, 'data.npz'), [
    { name: 'x', dtype: '<f4', shape: [2, 2], data: [weights(0.9, 0.1, 0.1, 0.9)] },
    { name: 'y', dtype: '|u1', shape: [2], data: [Uint8Array.of(0, 1)] },
  ]);
});
afterAll(() => rmSync(user, { recursive: true, force: true }));

it('belongs to what a run is known by', async () => {
  const audit = () =>
    gauntlet(user, [
      ...['audit', 'model.onnx', '--data', 'data.npz', '--attack', 'fgsm'],
      ...['--epsilon', '0.1', '--out', 'out'],
    ]);
  place('weights.bin', weights(1, 0, 0, 1));
  expect(await audit()).toMatchObject({ status: 0, err: '' });
  place('weights.bin', weights(2, 0, 0, 1));
  const { status, err } = await audit();
  expect(status).toBe(2);
  expect(err).toMatch(/other run at out, .* Its externalData\.weights\.bin is "[0-9a-f]{10}/);
});
