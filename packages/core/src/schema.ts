import { unexpected } from './errors.js';

/** Standard Schema v1 (standardschema.dev), the part that is used: zod, valibot, arktype and others implement it. */
export interface Schema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    /** The value with its defaults filled in, or what is wrong with it. */
    readonly validate: (value: unknown) => Validated<Output> | Promise<Validated<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
    readonly jsonSchema?: {
      /** What is accepted, as JSON Schema of this dialect, such as `draft-07`. */
      readonly input: (options: { readonly target: string }) => Record<string, unknown>;
    };
  };
}

/** What a schema says about a value. */
export type Validated<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: ReadonlyArray<{
        readonly message: string;
        readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
      }>;
    };

/** The validated options of a schema. */
export type OptionsOf<S> = S extends {
  readonly '~standard': { readonly types?: { readonly output: infer Output } | undefined };
}
  ? Readonly<Output>
  : never;

/**
 * Options with their defaults filled in.
 *
 * @param at what the options belong to, for the message.
 * @throws GauntletError `input`, naming every option that is wrong.
 */
export async function parseOptions<S extends Schema>(
  schema: S,
  given: unknown,
  at: string,
): Promise<OptionsOf<S>> {
  const { value, problems } = await checkOptions(schema, given);
  if (problems.length === 0) return Object.freeze(value) as OptionsOf<S>;
  const mends = problems.map(({ path, words }) => (path === '' ? words : `${path}: ${words}`));
  throw unexpected({
    found: 'options',
    at,
    expected: 'what its schema allows',
    remedy: `Mend ${mends.join('; ')}.`,
  });
}

/** What is wrong with options, by the path of each that is; without problems, the options with their defaults filled in. */
export async function checkOptions(
  schema: Schema,
  given: unknown,
): Promise<{
  readonly value?: unknown;
  readonly problems: readonly { readonly path: string; readonly words: string }[];
}> {
  const result = await schema['~standard'].validate(given);
  if (result.issues === undefined) return { value: result.value, problems: [] };
  const problems = result.issues.map(({ message, path = [] }) => ({
    path: path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
    words: readable(message),
  }));
  return { problems };
}

/** Zod's messages in words; those of other libraries as they are. */
const READABLE: readonly (readonly [pattern: RegExp, words: string])[] = [
  [/^Too (?:small|big): expected (?:number|int) to be >=/, 'expected a number of at least '],
  [/^Too (?:small|big): expected (?:number|int) to be <=/, 'expected a number of at most '],
  [/^Too (?:small|big): expected (?:number|int) to be >/, 'expected a number above '],
  [/^Too (?:small|big): expected (?:number|int) to be </, 'expected a number below '],
  [/^Too small: expected string to have >=(\d+) characters$/, 'expected text of $1 characters or more'],
  [/^Unrecognized keys?: /, 'no such option: '],
  [/^Invalid (?:input|option): expected /, 'expected '],
  [/^expected int\b/, 'expected a whole number'],
  [/^expected (?=number|string|boolean)/, 'expected a '],
  [/"\|"/g, '" or "'],
];

const readable = (message: string) =>
  READABLE.reduce((text, [pattern, words]) => text.replace(pattern, words), message);

/** One option as its schema describes it, for help texts and tables. */
export interface OptionFact {
  readonly name: string;
  readonly type: string;
  /** The numbers that it may be, in words, such as `from 1 up to 100`; null where nothing limits them. */
  readonly range: string | null;
  readonly default: unknown;
  readonly description: string;
}

/** The options that a schema declares, read from its JSON Schema; none if it cannot give one. */
export function optionFacts(schema: Schema): readonly OptionFact[] {
  const json = schema['~standard'].jsonSchema?.input({ target: 'draft-07' });
  const properties = (json?.['properties'] ?? {}) as Record<string, Record<string, unknown>>;
  return Object.entries(properties).map(([name, property]) => ({
    name,
    type: Array.isArray(property['enum'])
      ? property['enum'].join(' | ')
      : String(property['type'] ?? 'value'),
    range: rangeOf(property),
    default: property['default'],
    description: String(property['description'] ?? ''),
  }));
}

function rangeOf(property: Readonly<Record<string, unknown>>): string | null {
  const word = (key: string, before: string) => {
    const bound = property[key];
    // Integers are bounded by what a number holds exactly, which says nothing.
    return typeof bound === 'number' && Number.isFinite(bound) && Math.abs(bound) < Number.MAX_SAFE_INTEGER
      ? [`${before} ${bound}`]
      : [];
  };
  const words = [
    ...word('minimum', 'from'),
    ...word('exclusiveMinimum', 'above'),
    ...word('maximum', 'up to'),
    ...word('exclusiveMaximum', 'below'),
  ];
  return words.length === 0 ? null : words.join(' ');
}
