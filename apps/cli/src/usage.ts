import type { CommanderError } from 'commander';
import { unexpected } from '@gauntlet/core';

const MEANT = /\(Did you mean (.+)\?\)/;

/** What commander objects to, by its code: what was found, and what was expected. */
const OBJECTIONS: Record<string, (subject: string) => readonly [found: string, expected: string]> = {
  'commander.unknownOption': (subject) => [`option '${subject}'`, 'an option of this command'],
  'commander.unknownCommand': (subject) => [`command '${subject}'`, 'one of its commands'],
  'commander.missingArgument': (subject) => [`missing ${subject}`, `<${subject}>`],
  'commander.optionMissingArgument': (subject) => [`missing value of ${flag(subject)}`, subject],
  'commander.excessArguments': () => ['too many arguments', 'those that the command takes'],
};

const flag = (subject: string) => subject.split(/[ ,]/)[0]!;

/** An error of commander, in the house form. */
export function usageError(error: CommanderError): Error {
  const subject = /'([^']+)'/.exec(error.message)?.[1] ?? '';
  const meant = MEANT.exec(error.message)?.[1];
  const [found, expected] = OBJECTIONS[error.code]?.(subject) ?? [
    error.message,
    'a command line as the help says',
  ];
  return unexpected(
    {
      found,
      at: 'the command line',
      expected,
      remedy:
        meant === undefined ? 'See gauntlet --help, or gauntlet COMMAND --help.' : `Did you mean ${meant}?`,
    },
    { cause: error },
  );
}
