import { toldApart } from './model-files.js';

it.each([
  ['different names', ['a.onnx', 'b.onnx'], 'm.onnx', ['a.onnx', 'b.onnx']],
  ['one name', ['x/a.onnx', 'y/a.onnx'], 'm.onnx', ['x/a.onnx', 'y/a.onnx']],
  ['the name of the model', ['x/m.onnx', 'b.onnx'], 'y/m.onnx', ['x/m.onnx', 'b.onnx']],
  [
    'names that differ far from the end',
    ['p/x/a.onnx', 'q/x/a.onnx'],
    'm.onnx',
    ['p/x/a.onnx', 'q/x/a.onnx'],
  ],
])('calls models of %s by what tells them apart', (_, paths, model, expected) => {
  const named = toldApart(
    paths.map((path) => ({ path })),
    model,
  );
  expect(named.map(({ name }) => name)).toEqual(expected);
});
