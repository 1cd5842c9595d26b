/** The outside world of a command. */
export interface Terminal {
  readonly cwd: string;
  out(text: string): void;
  err(text: string): void;
  /** Whether a person watches the output, and the progress. */
  readonly interactive: { readonly out: boolean; readonly err: boolean };
  /** Seconds, from any origin. */
  now(): number;
  /** Aborted when the user has had enough. */
  readonly signal: AbortSignal;
}
