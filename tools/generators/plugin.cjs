const { execFileSync } = require('node:child_process');
const { formatFiles, installPackagesTask } = require('@nx/devkit');

/** Begins a plugin in the plugins folder. The packages are those that `npm create gauntlet-plugin` writes, laid out as this repository does it. */
module.exports = async (tree, { kind, name }) => {
  const { KINDS, ownVersions, workspace } = await import('create-gauntlet-plugin');
  const files = workspace({ kind, name, versions: ownVersions() }, tree.read('LICENSE', 'utf8'));
  const taken = Object.keys(files).find((path) => tree.exists(path));
  if (taken !== undefined) {
    throw new Error(`Unexpected file at ${taken}, expected none. Choose another name.`);
  }
  for (const [path, text] of Object.entries(files)) tree.write(path, text);
  const folder = `${KINDS[kind].family}-${name}`;
  tree.write('README.md', listed(tree.read('README.md', 'utf8'), folder, KINDS[kind].what));
  await formatFiles(tree);
  return () => {
    installPackagesTask(tree, true);
    const settings = { cwd: tree.root, stdio: 'ignore', shell: process.platform === 'win32' };
    execFileSync('npx', ['nx', 'sync'], settings);
    // The catalogue is made from the plugins themselves, by its test.
    const env = { ...process.env, UPDATE_CATALOGUE: '1' };
    execFileSync('npm', ['test', '--', 'apps/cli/src/catalogue'], { ...settings, env });
  };
};

/** The README with one more row in its table of plugins. */
const listed = (page, folder, what) =>
  page.replace(
    /(\n## Plugins\n\n(?:\|.*\n)+)/,
    (table) => `${table}| [\`${folder}\`](plugins/${folder}) | ${what} |\n`,
  );
