/** Names one thing that a binder holds. The symbol is global, so that two copies of a package mean the same thing. */
export interface Token<T> {
  readonly key: symbol;
  /** Never set: it carries the type. */
  readonly type?: T;
}

/** The token of this name. */
export const token = <T>(name: string): Token<T> => ({ key: Symbol.for(`@gauntlet/${name}`) });

/** Values of tokens, in order. */
export type Values<Tokens extends readonly Token<unknown>[]> = {
  readonly [K in keyof Tokens]: Tokens[K] extends Token<infer T> ? T : never;
};

/** All that Gauntlet asks of a dependency-injection container. */
export interface Binder {
  /** Binds a value. Binding a token again replaces what it held. */
  value<T>(token: Token<T>, value: T): void;
  /** Binds what `make` returns, made once, when it is first asked for, from the values of other tokens. */
  factory<T, const Needs extends readonly Token<unknown>[]>(
    token: Token<T>,
    needs: Needs,
    make: (...needs: Values<Needs>) => T,
  ): void;
  /** @throws GauntletError `internal` when nothing is bound. */
  get<T>(token: Token<T>): T;
  /** Whether something is bound. */
  has(token: Token<unknown>): boolean;
}
