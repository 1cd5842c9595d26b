import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

const needsOf = ({ dependencies, peerDependencies = {}, peerDependenciesMeta }: Manifest) => [
  ...Object.keys(dependencies ?? {}),
  ...Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta?.[name]?.optional),
];

/** Our packages and all of ours that they need, by name, with their folders. */
function closure(names: readonly string[]): ReadonlyMap<string, string> {
  const folders = new Map(
    ['packages', 'plugins', 'apps'].flatMap((group) =>
      readdirSync(join(ROOT, group)).map((name) => {
        const folder = join(ROOT, group, name);
        return [manifestOf(folder).name, folder] as const;
      }),
    ),
  );
  const wanted = new Map<string, string>();
  const add = (name: string) => {
    const folder = folders.get(name);
    if (folder === undefined || wanted.has(name)) return;
    wanted.set(name, folder);
    needsOf(manifestOf(folder)).forEach(add);
  };
  names.forEach(add);
  return wanted;
}

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${stderr}`);
  return stdout;
}

/**
 * A user's empty folder into which packed packages were installed, with those that they need: ours from their tarballs, the
 * others from the checkout. The network is not needed.
 */
export function installPacked(names: readonly string[]): string {
  const user = mkdtempSync(join(tmpdir(), 'packed-'));
  const packages = closure(names);
  const packed = JSON.parse(
    run('npm', [
      'pack',
      '--json',
      '--silent',
      '--pack-destination',
      user,
      ...[...packages.values()].flatMap((folder) => ['--workspace', folder]),
    ]),
  ) as Packed[] | Record<string, Packed>;
  for (const { name, filename } of Object.values(packed)) {
    const to = join(user, 'node_modules', name);
    mkdirSync(to, { recursive: true });
    run('tar', ['-xzf', join(user, filename), '-C', to, '--strip-components', '1']);
    for (const need of needsOf(manifestOf(to)).filter((other) => !packages.has(other))) {
      const own = join(packages.get(name)!, 'node_modules', need);
      const nested = existsSync(own);
      link(nested ? own : join(ROOT, 'node_modules', need), join(nested ? to : user, 'node_modules', need));
    }
  }
  return user;
}

interface Packed {
  readonly name: string;
  readonly filename: string;
}

function link(target: string, path: string): void {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path, 'junction');
}

/** What a command did. */
export interface Outcome {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** The command as it was built in the checkout. */
const BUILT = join(ROOT, 'apps/cli/bin/gauntlet.js');

/** Runs the command that is installed in a folder, or that of the checkout, from the folder. `during` may stop it. */
export function gauntlet(
  folder: string,
  args: readonly string[],
  during: (kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const installed = join(folder, 'node_modules/@gauntlet/cli/bin/gauntlet.js');
  const bin = existsSync(installed) ? installed : BUILT;
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  during((signal) => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out, err }));
  });
}
