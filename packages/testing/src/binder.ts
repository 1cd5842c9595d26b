import { type Binder, token } from '@gauntlet/core';
import { ensure, register, type Registration } from './runner.js';

const NAME = token<string>('testing/name');
const GREETING = token<{ text: string }>('testing/greeting');

/** What every binder must do, whichever container stands behind it. Each check throws a sentence when it fails. */
export const binderChecks: Readonly<Record<string, (binder: Binder) => void>> = {
  'gives back a value'(binder) {
    binder.value(NAME, 'Ada');
    ensure(
      binder.has(NAME) && binder.get(NAME) === 'Ada',
      'Unexpected answer for a bound value, expected the value.',
    );
  },
  'replaces a value'(binder) {
    binder.value(NAME, 'Ada');
    binder.value(NAME, 'Alan');
    ensure(binder.get(NAME) === 'Alan', 'Unexpected old value, expected the one that was bound last.');
  },
  'makes a value from others, once, when it is asked for'(binder) {
    let made = 0;
    binder.factory(GREETING, [NAME], (name) => ({ text: `Hello ${name}, ${++made}` }));
    binder.value(NAME, 'Ada');
    const first = binder.get(GREETING);
    ensure(
      first.text === 'Hello Ada, 1',
      `Unexpected ${first.text}, expected a value made from the bound name.`,
    );
    ensure(
      binder.get(GREETING) === first && made === 1,
      'Unexpected second making, expected one value for all.',
    );
  },
  'replaces what a factory made'(binder) {
    binder.factory(GREETING, [], () => ({ text: 'old' }));
    binder.get(GREETING);
    binder.factory(GREETING, [], () => ({ text: 'new' }));
    ensure(
      binder.get(GREETING).text === 'new',
      'Unexpected old value, expected that of the factory bound last.',
    );
  },
  'says what is not bound'(binder) {
    ensure(!binder.has(NAME), 'Unexpected binding of a token that nobody bound, expected none.');
    let message = '';
    try {
      binder.get(NAME);
    } catch (error) {
      message = (error as Error).message;
    }
    ensure(
      message.includes('@gauntlet/testing/name'),
      `Unexpected message '${message}', expected one that names the token that is not bound.`,
    );
  },
};

/** Registers every check of `binderChecks`, each on a fresh binder. */
export function testBinder(name: string, create: () => Binder, settings: Registration = {}): void {
  register(`the registry over ${name}`, binderChecks, settings, create);
}
