import { compareKinds } from './kinds.js';

compareKinds('robust', 'fixtures/models/digits-robust.onnx');
