import { readTopology } from './topology.js';

const dense = { class_name: 'Dense', name: 'dense', config: { name: 'dense', units: 2 } };
const x = {
  class_name: 'InputLayer',
  name: 'x',
  config: { name: 'x', batch_shape: [null, 3] },
  inbound_nodes: [],
};
const tensor = (name: string) => ({
  class_name: '__keras_tensor__',
  config: { shape: [null, 3], dtype: 'float32', keras_history: [name, 0, 0] },
});
const add = { class_name: 'Add', name: 'add', config: { name: 'add' } };

describe('readTopology', () => {
  it('reads the calls of Keras 2 and of Keras 3 alike', () => {
    const model = (calls: Record<string, unknown>, outputs: unknown) => ({
      class_name: 'Functional',
      config: {
        layers: [x, { ...dense, inbound_nodes: calls['dense'] }, { ...add, inbound_nodes: calls['add'] }],
        input_layers: [['x', 0, 0]],
        output_layers: outputs,
      },
    });
    const old = model(
      {
        dense: [[['x', 0, 0, {}]]],
        add: [
          [
            ['x', 0, 0, {}],
            ['dense', 0, 0, {}],
          ],
        ],
      },
      [['add', 0, 0]],
    );
    const fresh = model(
      {
        dense: [{ args: [tensor('x')], kwargs: {} }],
        add: [{ args: [[tensor('x'), tensor('dense')]], kwargs: {} }],
      },
      ['add', 0, 0],
    );
    expect(readTopology(fresh)).toEqual(readTopology(old));
    expect(readTopology(old).layers.get('add')!.calls).toEqual([
      [
        { layer: 'x', call: 0, index: 0 },
        { layer: 'dense', call: 0, index: 0 },
      ],
    ]);
  });

  it.each([
    ['a list', [dense]],
    ['an object', { name: 'chain', layers: [dense] }],
  ])('reads layers in a row as %s, with an input that stands for the shape of the first', (_, config) => {
    const { layers, inputs } = readTopology({ model_config: { class_name: 'Sequential', config } });
    expect([...layers.keys()]).toEqual(['dense_input', 'dense']);
    expect(inputs).toEqual([{ layer: 'dense_input', call: 0, index: 0 }]);
  });
});
