/** What an execution may use. Defaults are those of the Lambda service. Sizes are bytes of UTF-8. */
export interface RuntimeLimits {
  /** Input of an execution, and of a chained invoke. Default 1 MB (an asynchronous invocation's). */
  inputBytes: number;
  /** Result of a step or context, result of a callback. Default 262,144. */
  payloadBytes: number;
  /** An update that carries an error. Default 32,768. */
  errorBytes: number;
  /** Operations of an execution, those in finished contexts included. Default 3,000. */
  operations: number;
  /** The whole log of an execution. Default 100 MB. */
  historyBytes: number;
}

export const DEFAULT_LIMITS: RuntimeLimits = {
  inputBytes: 1024 * 1024,
  payloadBytes: 256 * 1024,
  errorBytes: 32 * 1024,
  operations: 3_000,
  historyBytes: 100 * 1024 * 1024,
};
