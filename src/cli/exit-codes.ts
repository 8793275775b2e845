/** How a command ends, as documented in docs/cli.md. */
export const EXIT = {
  ok: 0,
  /** The task ended other than COMPLETED, or the request failed. */
  failed: 1,
  usage: 2,
  unreachable: 3,
  unauthorized: 4,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
