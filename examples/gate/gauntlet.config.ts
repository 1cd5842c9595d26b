import { defineConfig } from '@gauntlet/cli/config';

export default defineConfig({
  models: { digits: { path: '../digits/digits.onnx' } },
  data: { path: '../digits/digits.npz', limit: 50 },
  threatModels: { small: { norm: 'linf', epsilons: [0.05, 0.1] } },
  attacks: { fgsm: {}, pgd: { options: { steps: 40 } } },
  thresholds: [
    { measure: 'robust-accuracy', atLeast: 0.6, epsilon: 0.05 },
    { measure: 'lower-bound', atLeast: 0.5, epsilon: 0.05 },
    { measure: 'drop' },
  ],
});
