import { compareKinds } from './kinds.js';

compareKinds('digits', 'examples/digits/digits.onnx');
