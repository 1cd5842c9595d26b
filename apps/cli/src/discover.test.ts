import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPackage, findPlugins, nearest } from './discover.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'discover-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const install = (path: string, version = '1.0.0') => {
  mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, path, 'package.json'), JSON.stringify({ version }));
};

it('finds plugins by their names, upwards from the project, then beside the command', () => {
  install('home/node_modules/@gauntlet/attack-pgd', '1.0.0');
  install('home/node_modules/@gauntlet/attack-fgsm');
  install('user/node_modules/@gauntlet/attack-pgd', '2.0.0');
  install('node_modules/gauntlet-attack-own');
  install('node_modules/@me/gauntlet-dataset-wav');
  install('node_modules/@me/attack-not-ours');
  install('node_modules/@gauntlet/core');
  install('node_modules/left-pad');
  mkdirSync(join(folder, 'node_modules/@gauntlet/attack-empty'));

  const found = findPlugins([join(folder, 'user/deep/er'), join(folder, 'home')]);
  expect(
    found
      .filter((one) => one.folder.startsWith(folder))
      .map(({ name, version, family, short }) => [name, version, family, short]),
  ).toEqual([
    ['@gauntlet/attack-fgsm', '1.0.0', 'attack', 'fgsm'],
    ['@gauntlet/attack-pgd', '2.0.0', 'attack', 'pgd'],
    ['@me/gauntlet-dataset-wav', '1.0.0', 'dataset', 'wav'],
    ['gauntlet-attack-own', '1.0.0', 'attack', 'own'],
  ]);
});

it('finds a package by its full name, and nothing by a path', () => {
  install('node_modules/@me/strange');
  install('elsewhere');
  expect(findPackage([folder], '@me/strange')).toMatchObject({ name: '@me/strange', version: '1.0.0' });
  for (const name of [
    '@me/other',
    '../elsewhere',
    './elsewhere',
    '@me/../../elsewhere',
    '/elsewhere',
    '..',
    '',
  ]) {
    expect(findPackage([folder], name)).toBeNull();
  }
});

it.each([
  ['pdg', 'pgd'],
  ['PGD', 'pgd'],
  ['fgms', 'fgsm'],
  ['fgsm2', 'fgsm'],
  ['square', undefined],
])('%p is nearest to %p', (name, expected) => {
  expect(nearest(name, ['fgsm', 'pgd'])).toBe(expected);
});
