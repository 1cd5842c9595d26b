// Native addons build typed arrays in the main realm, while jest gives each test file a realm of its own.
// Sharing the constructors lets `instanceof` and the addons' own type checks hold.
const { TestEnvironment } = require('jest-environment-node');

const SHARED = [
  ...['ArrayBuffer', 'SharedArrayBuffer', 'DataView', 'Float16Array', 'Float32Array', 'Float64Array'],
  ...[
    'Int8Array',
    'Uint8Array',
    'Uint8ClampedArray',
    'Int16Array',
    'Uint16Array',
    'Int32Array',
    'Uint32Array',
  ],
  ...['BigInt64Array', 'BigUint64Array'],
];

class RealmEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    for (const name of SHARED) {
      if (!(name in globalThis)) continue;
      Object.defineProperty(this.global, name, {
        value: globalThis[name],
        writable: true,
        configurable: true,
        enumerable: false,
      });
    }
  }
}

module.exports = RealmEnvironment;
module.exports.TestEnvironment = RealmEnvironment;
