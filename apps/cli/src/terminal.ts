/** The outside world of a command. */
export interface Terminal {
  readonly cwd: string;
  /** Writes results, to stdout. */
  out(text: string): void;
  /** Writes progress, notices and errors, to stderr. */
  err(text: string): void;
  /** Whether a person watches the output, and the progress. */
  readonly interactive: { readonly out: boolean; readonly err: boolean };
  /** Seconds, from any origin. */
  now(): number;
  /** Aborted when the user has had enough. */
  readonly signal: AbortSignal;
}
