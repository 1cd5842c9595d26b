import 'reflect-metadata';
import { type Binder, GauntletError, type Token } from '@gauntlet/core';
import { type DependencyContainer, instanceCachingFactory, container as root } from 'tsyringe';

/**
 * The registry over a tsyringe container, so that a host application's services and Gauntlet's live together:
 * `createLab({ binder: tsyringeBinder(container) })`. Importing this module loads `reflect-metadata`, which tsyringe needs.
 *
 * @param container the host's container; a child of tsyringe's global one by default.
 */
export function tsyringeBinder(container: DependencyContainer = root.createChildContainer()): Binder {
  // tsyringe appends registrations and resolves the last, so binding again replaces.
  return {
    value: ({ key }, value) => void container.register(key, { useValue: value }),
    factory: (token, needs, make) =>
      void container.register(token.key, {
        useFactory: instanceCachingFactory(() =>
          make(...(needs.map(({ key }) => container.resolve(key)) as never)),
        ),
      }),
    get: <T>({ key }: Token<T>): T => {
      if (!container.isRegistered(key, true)) {
        throw new GauntletError(
          'internal',
          `Unexpected request for ${key.description}, expected a bound token. Bind it first.`,
        );
      }
      return container.resolve<T>(key);
    },
    has: ({ key }) => container.isRegistered(key, true),
  };
}
