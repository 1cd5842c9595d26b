import { Container } from 'inversify';
import type { Binder, Token } from './binder.js';
import { GauntletError } from './errors.js';

/** The registry over an inversify container: a new one, or that of a host application. */
export function inversifyBinder(container: Container = new Container()): Binder {
  const fresh = <T>({ key }: Token<T>) => {
    if (container.isBound(key)) container.unbind(key);
    return container.bind<T>(key);
  };
  return {
    value: (token, value) => void fresh(token).toConstantValue(value as never),
    factory: (token, needs, make) =>
      void fresh(token)
        .toResolvedValue(make as never, needs.map(({ key }) => key) as never)
        .inSingletonScope(),
    get: <T>(token: Token<T>) => {
      if (!container.isBound(token.key)) {
        throw new GauntletError(
          'internal',
          `Unexpected request for ${token.key.description}, expected a bound token. Bind it first.`,
        );
      }
      return container.get<T>(token.key);
    },
    has: ({ key }) => container.isBound(key),
  };
}
