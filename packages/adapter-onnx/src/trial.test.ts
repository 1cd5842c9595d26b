import { fileURLToPath } from 'node:url';
import type { OpenModel } from '@gauntlet/core';
import { Graph } from '@gauntlet/onnx';
import { openOnnx } from './open.js';
import { prepare } from './prepare.js';
import { chain, floats, temporary } from './testing/files.js';
import { openTrial } from './trial.js';

const DIGITS = fileURLToPath(new URL('../../../examples/digits/digits.onnx', import.meta.url));
const folder = temporary();
afterAll(() => folder.remove());

/** Adds what a loop of 2^62 rounds makes of nothing. */
const endless = () =>
  folder.model(
    chain(['N', 4], (graph, x) => {
      const body = Graph.empty(18);
      const [round, go, sum] = [
        body.input('round', 'int64', []),
        body.input('go', 'bool', []),
        body.input('sum', 'float32', []),
      ];
      body.nodes('Identity', [go], 1, {}, { outputs: ['on'] });
      body.nodes('Add', [sum, body.node('Cast', [round], { to: 1 })], 1, {}, { outputs: ['more'] });
      body.output('on', 'bool', []);
      body.output('more', 'float32', []);
      const rounds = graph.constant({ dtype: 'int64', dims: [], data: BigInt64Array.of(2n ** 62n) });
      const total = graph.node('Loop', [rounds, '', graph.node('ReduceSum', [x], { keepdims: 0 })], {
        body: { graph: body.proto },
      });
      return graph.node('Add', [x, total]);
    }),
  );
const huge = () =>
  folder.model(
    chain(['N', 4], (graph, x) => {
      const large = graph.node('ConstantOfShape', [graph.ints([4_000_000, 1_000_000])]);
      return graph.node('Add', [x, graph.node('ReduceMax', [large], { keepdims: 0 })]);
    }),
  );

describe('a trial', () => {
  it('gives what preparing in this process gives', async () => {
    const trial = await openTrial();
    const apart = await trial.prepare(DIGITS, { bounds: [0, 1] });
    await trial.close();
    const here = await prepare(DIGITS, { bounds: [0, 1] });
    expect(apart).toEqual({ ...here, model: expect.any(Uint8Array) });
    expect(apart.model.length).toBe(here.model.length);
  });

  it('hands on what is wrong, and keeps its process', async () => {
    const trial = await openTrial();
    const missing = trial.prepare(`${DIGITS}.gone`, { bounds: [0, 1] });
    await expect(missing).rejects.toThrow(/^Unexpected missing file at .*digits\.onnx\.gone/);
    await trial.prepare(DIGITS, { bounds: [0, 1] });
    expect(trial.started).toBe(1);
    await trial.close();
  }, 30_000);

  it('ends a model that never comes back, and goes on with the next', async () => {
    const trial = await openTrial({ seconds: 3 });
    await expect(trial.prepare(endless(), { bounds: [0, 1] })).rejects.toThrow(
      /^Unexpected model that gave no answer within 3 s at .*, expected one that loads and runs within its limits of memory and time\. Do not use this file, or export the model again\.$/,
    );
    await trial.prepare(DIGITS, { bounds: [0, 1] });
    expect(trial.started).toBe(2);
    await trial.close();
  }, 30_000);

  it('says that a process died, and starts another', async () => {
    const trial = await openTrial();
    await trial.prepare(DIGITS, { bounds: [0, 1] });
    const tried = trial.prepare(endless(), { bounds: [0, 1] });
    const killed = setTimeout(() => process.kill(trial.pid!, 'SIGKILL'), 300);
    await expect(tried).rejects.toThrow(/^Unexpected model that took its process down \(SIGKILL\) at/);
    clearTimeout(killed);
    await trial.prepare(DIGITS, { bounds: [0, 1] });
    expect(trial.started).toBe(2);
    await trial.close();
  }, 30_000);

  // ONNX Runtime 1.30 dies of both.
  it.each<[string, string, (graph: Graph, x: string) => string]>([
    [
      'loaded',
      'node "the mean" (Mean)',
      (graph, x) => graph.node('Mean', [graph.node('Exp', [x]), x, ''], {}, { name: 'the mean' }),
    ],
    [
      'run',
      'node OneHot of "OneHot_0"',
      (graph, x) => {
        const depth = graph.constant({ dtype: 'int64', dims: [0], data: new BigInt64Array(0) });
        const places = graph.node('Cast', [x], { to: 7 });
        return graph.node('ReduceSum', [graph.node('OneHot', [places, depth, floats(graph, [2], [0, 1])])]);
      },
    ],
  ])(
    'names the node that takes the process down when it is %s',
    async (_when, node, odd) => {
      const path = folder.model(
        chain(['N', 4], (graph, x) => {
          const before = graph.node('Sin', [graph.node('Neg', [x])]);
          const beside = graph.node('Cos', [x]);
          return graph.node('Add', [graph.node('Tanh', [odd(graph, before)]), graph.node('Exp', [beside])]);
        }),
      );
      const trial = await openTrial();
      await expect(trial.prepare(path, { bounds: [0, 1] })).rejects.toThrow(
        new RegExp(
          `^Unexpected op that took its process down \\(SIG\\w+\\) at ${node.replace(/[()]/g, '\\$&')} of .*, expected one that loads and runs within its limits of memory and time\\. Do not`,
        ),
      );
      await trial.prepare(DIGITS, { bounds: [0, 1] });
      await trial.close();
    },
    30_000,
  );

  it('refuses terabytes', async () => {
    const trial = await openTrial();
    await expect(trial.prepare(huge(), { bounds: [0, 1] })).rejects.toThrow(
      /^Unexpected model that .* at .*, expected/,
    );
    await trial.close();
  }, 30_000);

  it('comes before every model that is opened', async () => {
    const notices: string[] = [];
    const path = folder.model(
      chain(['N', 4], (graph, x) => graph.node('MatMul', [x, floats(graph, [4, 1], [1, 2, 3, 4])])),
    );
    const model = (await openOnnx(path, {
      bounds: [0, 1],
      onNotice: (notice) => notices.push(notice),
    })) as OpenModel<'gradients'>;
    expect(model.classes).toBe(2);
    expect(notices).toEqual([expect.stringContaining('has one output')]);
    await model.close();
    await expect(openOnnx(endless(), { bounds: [0, 1], trial: { seconds: 2 } })).rejects.toThrow(
      /no answer within 2 s/,
    );
  }, 30_000);
});
