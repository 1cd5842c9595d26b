/** For people who write plugins: a conformance harness per kind, and toy models whose right answers are known. */
export { attackChecks, testAttack } from './attack.js';
export { binderChecks, testBinder } from './binder.js';
export { type Runner } from './runner.js';
export { curvedToy, linearToy, type LinearToy, scoreModel, type Toy } from './toys.js';
