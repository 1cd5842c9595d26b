import { TestEnvironment } from 'jest-environment-node';

/** Jest's environment for Node, in which native addons and tests share one set of typed arrays. */
declare class RealmEnvironment extends TestEnvironment {
  static readonly TestEnvironment: typeof RealmEnvironment;
}

export = RealmEnvironment;
