import { readFileSync } from 'node:fs';
import { ESLint } from 'eslint';

const root = process.cwd();

/** The complaints of the boundary rule about a file, were it to hold this line too. */
async function complaints(file: string, line: string): Promise<string[]> {
  const eslint = new ESLint({ cwd: root });
  const [result] = await eslint.lintText(`${line}\n${readFileSync(`${root}/${file}`, 'utf8')}`, {
    filePath: `${root}/${file}`,
  });
  return result!.messages
    .filter((message) => message.ruleId === '@nx/enforce-module-boundaries')
    .map((message) => message.message);
}

describe('the lint', () => {
  it.each([
    ['core', 'a plugin', 'packages/core/src/index.ts', '@gauntlet/attack-pgd'],
    ['core', 'kit', 'packages/core/src/index.ts', '@gauntlet/kit'],
    ['core', 'a runtime', 'packages/core/src/index.ts', 'onnxruntime-node'],
    ['onnx-grad', 'a runtime', 'packages/onnx-grad/src/index.ts', 'onnxruntime-node'],
    ['a plugin', 'another plugin', 'plugins/attack-pgd/src/index.ts', '@gauntlet/attack-fgsm'],
    ['a plugin', 'a runtime', 'plugins/attack-pgd/src/index.ts', 'onnxruntime-node'],
    ['a plugin', 'a container', 'plugins/attack-pgd/src/index.ts', 'inversify'],
    ['a plugin', 'an adapter', 'plugins/attack-pgd/src/index.ts', '@gauntlet/adapter-onnx'],
    ['a plugin', 'the harness outside its tests', 'plugins/attack-pgd/src/index.ts', '@gauntlet/testing'],
    ['a plugin', 'what it does not declare', 'plugins/attack-pgd/src/index.ts', 'fflate'],
    ['an example', 'an adapter outside its tests', 'tools/kinds/src/index.ts', '@gauntlet/adapter-onnx'],
    ['an adapter', 'a container', 'packages/adapter-onnx/src/index.ts', 'inversify'],
  ])('keeps %s from importing %s', async (_, __, file, name) => {
    expect(await complaints(file, `import * as forbidden from '${name}';`)).not.toEqual([]);
  });

  it.each([
    ['plugins/attack-pgd/src/index.ts', '@gauntlet/tensor'],
    ['plugins/attack-pgd/src/index.test.ts', '@gauntlet/adapter-onnx'],
    ['packages/adapter-onnx/src/index.ts', 'onnxruntime-node'],
    ['tools/kinds/src/decision-tree.test.ts', '@gauntlet/dataset-npz'],
  ])('lets %s import %s', async (file, name) => {
    expect(await complaints(file, `import * as allowed from '${name}';`)).toEqual([]);
  });
});
