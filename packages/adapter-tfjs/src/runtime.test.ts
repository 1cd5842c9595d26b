import { findTf, tfFacts } from './runtime.js';

const GPU = '@tensorflow/tfjs-node-gpu';
const NATIVE = '@tensorflow/tfjs-node';
const PLAIN = '@tensorflow/tfjs';

const missing = () => Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
/** What tfjs-node throws where its addon was not built: an error without a code. */
const unbuilt = () =>
  new Error('The Node.js native addon module (tfjs_binding.node) can not be found at path');

/** An installation that holds some packages, and what was asked of it. */
function installed(packages: Record<string, 'works' | 'is broken'>, backend?: string) {
  const asked: string[] = [];
  const calls: string[] = [];
  const load = async (name: string) => {
    asked.push(name);
    if (packages[name] === undefined) throw missing();
    if (packages[name] === 'is broken') throw unbuilt();
    return {
      default: {
        name,
        getBackend: () => backend,
        enableProdMode: () => void calls.push('quiet'),
        setBackend: async (backend: string) => void calls.push(backend),
      },
    };
  };
  return { asked, calls, load };
}

it.each([
  ['tfjs-node-gpu first', { [GPU]: 'works', [NATIVE]: 'works', [PLAIN]: 'works' }, GPU],
  ['tfjs-node next', { [NATIVE]: 'works', [PLAIN]: 'works' }, NATIVE],
  ['tfjs-node where that for the GPU is broken', { [GPU]: 'is broken', [NATIVE]: 'works' }, NATIVE],
] as const)('takes %s, and says nothing', async (_, packages, name) => {
  const { load, calls } = installed(packages);
  const { tf, notice } = await findTf(load);
  expect(tf).toMatchObject({ name });
  expect({ notice, calls }).toEqual({ notice: null, calls: [] });
});

it.each([
  ['none other is installed', { [PLAIN]: 'works' }, /since @tensorflow\/tfjs-node is not installed\.$/],
  [
    'the addon is missing',
    { [NATIVE]: 'is broken', [PLAIN]: 'works' },
    /since @tensorflow\/tfjs-node cannot be loaded: its addon is missing or broken\.$/,
  ],
] as const)('takes plain tfjs on the CPU where %s, and says so in a line', async (_, packages, sentence) => {
  const { load, asked, calls } = installed(packages);
  const { tf, notice } = await findTf(load);
  expect(tf).toMatchObject({ name: PLAIN });
  expect(notice).toMatch(/^tfjs runs in plain JavaScript, 20 to 60 times slower than its native addon/);
  expect(notice).toMatch(sentence);
  expect(asked).toEqual([GPU, NATIVE, PLAIN]);
  expect(calls).toEqual(['quiet', 'cpu']);
});

it('leaves a backend alone that somebody has chosen', async () => {
  const { load, calls } = installed({ [PLAIN]: 'works' }, 'tensorflow');
  expect(await findTf(load)).toMatchObject({ tf: { name: PLAIN }, notice: null });
  expect(calls).toEqual([]);
});

it.each([
  [
    'no tfjs',
    {},
    /^Unexpected no tfjs at the installed packages, .* Run npm install @tensorflow\/tfjs-node\.$/,
  ],
  [
    'only a broken one',
    { [NATIVE]: 'is broken' },
    /^Unexpected @tensorflow\/tfjs-node without a working addon at the installed packages/,
  ],
] as const)('says what to install where there is %s', async (_, packages, sentence) => {
  await expect(findTf(installed(packages).load)).rejects.toThrow(sentence);
});

describe('what is said of it', () => {
  it('is name, version and what slows it down, once it has computed something', async () => {
    const load = (name: string) => (name === PLAIN ? import('@tensorflow/tfjs') : Promise.reject(missing()));
    expect(await tfFacts(load)).toEqual({
      name: 'tfjs on cpu',
      version: expect.stringMatching(/^4\./),
      notice: expect.stringMatching(/^tfjs runs in plain JavaScript/),
    });
  });

  it('is what is wrong, where it computes nonsense', async () => {
    const nonsense = {
      getBackend: () => 'odd',
      grad: () => () => ({ dataSync: () => [5] }),
      tensor1d: () => 0,
      tidy: (run: () => object) => run(),
    };
    await expect(tfFacts(async () => ({ default: nonsense }))).rejects.toThrow(
      'Unexpected gradient 5 of the square of 3 at tfjs on odd, expected 6. Install tfjs again.',
    );
  });
});
