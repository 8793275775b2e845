/**
 * A structured log: fields first, then the message. `event` is a stable key, and `error_id` is there where someone should be woken.
 * A pino logger is one.
 */
export interface Log {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}
