/** What went wrong, for programs that react to it; the message is for people. */
export type OnnxErrorCode =
  | 'not-onnx'
  | 'truncated'
  | 'empty-graph'
  | 'unsupported-opset'
  | 'bad-attribute'
  | 'bad-tensor'
  | 'bad-node'
  | 'bad-graph'
  | 'cyclic'
  | 'unknown-tensor'
  | 'unknown-shape'
  | 'bad-axis'
  | 'bad-shape'
  | 'bad-type'
  | 'no-rule'
  | 'no-path';

/** The only error that the ONNX packages throw on purpose: one sentence `Unexpected X at <path>, expected Y. Do Z.` */
export class OnnxError extends Error {
  override readonly name = 'OnnxError';
  readonly code: OnnxErrorCode;

  constructor(code: OnnxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Throws the house-form error; an expression, so that it can stand after `??`. */
export function fail(code: OnnxErrorCode, message: string, cause?: unknown): never {
  throw new OnnxError(code, message, cause === undefined ? undefined : { cause });
}
