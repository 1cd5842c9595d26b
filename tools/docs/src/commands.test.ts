import type { Command } from 'commander';
import { optionsOf, packages, program } from './commands.js';
import { blocksIn, markdownIn, text } from './pages.js';

/** What is no official plugin, but written by readers. */
const OTHERS = ['momentum', 'mine'];
const PLUGINS = ['--attack', '--defence', '--metric', '--certifier'];

/** Lines of shells, and commands within a sentence. */
const linesOf = (page: string) => [
  ...blocksIn(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => code.replaceAll('\\\n', ' ').split('\n')),
  ...[...page.matchAll(/`((?:npx )?gauntlet [^`]+)`/g)].map(([, line]) => line!),
];

const commands = markdownIn('.').flatMap((path) =>
  linesOf(text(path))
    .map((line) => /^(?:npx )?gauntlet (.*?)(?: +#.*)?$/.exec(line)?.[1])
    .filter((line) => line !== undefined)
    .map((line) => [path, line.trim()] as const),
);

/** The command that the words begin with, and the words after it. */
function found(words: readonly string[], from: Command = program): [Command, readonly string[]] {
  const next = from.commands.find((command) => command.name() === words[0]);
  return next === undefined ? [from, words] : found(words.slice(1), next);
}

it('finds commands in the pages', () => expect(commands.length).toBeGreaterThan(60));

it.each(commands)('%s: gauntlet %s', async (_, line) => {
  const [command, words] = found(line.split(/ +/));
  const known = command.options.flatMap(({ short, long }) => [short, long]);
  if (command === program) expect(line).toMatch(/^-/);
  expect(words.filter((word) => /^--?[a-z]/.test(word) && !known.includes(word))).toEqual([]);
  for (const [i, word] of words.entries()) {
    const value = words[i + 1] ?? '';
    if (PLUGINS.includes(word))
      expect(value.split(',').filter((name) => !packages.has(name) && !OTHERS.includes(name))).toEqual([]);
    const [, plugin, option] = /^([\w-]+)\.(\w+)=/.exec(word === '--set' ? value : '') ?? [];
    if (plugin !== undefined && !OTHERS.includes(plugin)) expect(await optionsOf(plugin)).toContain(option);
  }
});
