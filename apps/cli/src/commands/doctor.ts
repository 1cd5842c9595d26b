import { counted, isGauntletError, type Plugin, type RuntimeFacts, unexpected } from '@gauntlet/core';
import { findOurs, type Package } from '../discover.js';
import { copiesOf, missingNeeds } from '../doctor/needs.js';
import { tryRuntime } from '../doctor/runtime.js';
import { createPlugins, HOME, type Plugins } from '../plugins.js';
import type { Terminal } from '../terminal.js';
import { wrap } from '../layout.js';

/** What `gauntlet doctor --json` prints. */
interface Diagnosis {
  readonly gauntlet: string;
  readonly node: string;
  readonly platform: string;
  readonly plugins: readonly { readonly id: string; readonly package: string; readonly version: string }[];
  readonly runtimes: readonly RuntimeFacts[];
  /** What keeps something from working, with the remedy. */
  readonly problems: readonly string[];
  /** What works, and could be better. */
  readonly advice: readonly string[];
}

/**
 * Says what is wrong with the installation that the working folder sees.
 *
 * @throws GauntletError `input` where something does not work.
 */
export async function doctor(
  { json, version }: { readonly json: boolean; readonly version: string },
  terminal: Terminal,
): Promise<void> {
  const found = await diagnose(version, terminal);
  terminal.out(json ? `${JSON.stringify(found, null, 2)}\n` : render(found));
  if (found.problems.length === 0) return;
  throw unexpected({
    found: counted(found.problems.length, 'problem'),
    at: 'this installation',
    expected: 'none',
    remedy: 'Do what each of them says, then run gauntlet doctor again.',
  });
}

async function diagnose(version: string, terminal: Terminal): Promise<Diagnosis> {
  const plugins = createPlugins(terminal.cwd);
  const ours = findOurs([terminal.cwd, HOME]);
  const problems: string[] = [];
  const healthy = ours.filter((one) => {
    const missing = missingNeeds(one);
    problems.push(...missing.map(({ message }) => message));
    return missing.length === 0;
  });
  const isHealthy = ({ folder }: Package) => healthy.some((one) => one.folder === folder);
  const note = <T>(result: Promise<T>): Promise<T | null> =>
    result.catch((error: unknown) => {
      if (!isGauntletError(error)) throw error;
      problems.push(error.message);
      return null;
    });

  const loaded: { readonly plugin: Plugin; readonly from: Package }[] = [];
  for (const from of plugins.installed.filter(isHealthy)) {
    const plugin = await note(plugins.load(from));
    if (plugin !== null) loaded.push({ plugin, from });
  }
  const runtimes: RuntimeFacts[] = [];
  for (const { plugin, from } of loaded) {
    const facts = plugin.kind === 'adapter' ? await note(tryRuntime(from, terminal.signal)) : null;
    if (facts !== null) runtimes.push(facts);
  }
  problems.push(...absent(plugins));
  return {
    gauntlet: version,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    plugins: loaded.map(({ plugin, from }) => ({ id: plugin.id, package: from.name, version: from.version })),
    runtimes,
    problems: [...new Set(problems)],
    advice: [...copies(ours), ...runtimes.flatMap(({ notice }) => notice ?? [])],
  };
}

/** What no audit can do without. */
function absent({ installed }: Plugins): readonly string[] {
  const lacks = (family: string) => installed.every((one) => one.family !== family);
  return [
    ['adapter', '@gauntlet/adapter-onnx onnxruntime-node'] as const,
    ['attack', '@gauntlet/attack-pgd'] as const,
  ]
    .filter(([family]) => lacks(family))
    .map(
      ([family, packages]) =>
        unexpected({
          found: `no ${family}`,
          at: 'the installed packages',
          expected: 'at least one',
          remedy: `Run npm install ${packages}.`,
        }).message,
    );
}

/** Copies of core work together, since plugins are known by what they say; they cost memory, and may differ. */
function copies(ours: readonly Package[]): readonly string[] {
  const all = copiesOf('@gauntlet/core', ours);
  if (all.length < 2) return [];
  const places = all.map(({ version, folder }) => `${version} at ${folder}`).join(' and ');
  return [`${all.length} copies of @gauntlet/core are installed (${places}): one would do. Run npm dedupe.`];
}

function render({ gauntlet, node, platform, plugins, runtimes, problems, advice }: Diagnosis): string {
  const item = (text: string) => wrap(text, '  ').join('\n').replace(/^ {2}/, '- ');
  const section = (title: string, items: readonly string[]) =>
    items.length === 0 ? [] : ['', title, ...items.map(item)];
  return [
    `gauntlet ${gauntlet} on Node ${node}, ${platform}`,
    `${counted(plugins.length, 'plugin')} can be loaded`,
    ...runtimes.map(({ name, version }) => `${name} ${version} works`),
    ...(problems.length === 0 ? ['', 'No problem was found.'] : []),
    ...section(`${counted(problems.length, 'problem')}:`, problems),
    ...section('Could be better:', advice),
    '',
  ].join('\n');
}
