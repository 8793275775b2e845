import type { ErrorObject, OperationUpdate } from '@aws/durable-execution-sdk-js';

/**
 * The log of an execution is all that is stored of its progress: operations and history are both derived from it.
 * A checkpoint appends one row with the entries of its updates. Times are milliseconds since the epoch.
 */
export type LogEntry =
  | UpdateEntry
  | CallbackEntry
  | { kind: 'heartbeat'; at: number; id: string; heartbeatAt: number }
  | { kind: 'waited'; at: number; id: string }
  /** The delay before a step's next attempt is over. */
  | { kind: 'ready'; at: number; id: string }
  | InvokedEntry
  | { kind: 'invocation'; at: number; startedAt: number; requestId: string; error?: ErrorObject }
  /** The execution has ended; status and result are in its row. */
  | { kind: 'ended'; at: number };

/** An update that the SDK sent, with what the engine decided about it. */
export interface UpdateEntry {
  kind: 'update';
  at: number;
  update: OperationUpdate;
  /** When a wait is over, or a step may try again. */
  dueAt?: number;
  callbackId?: string;
  /** When a callback times out. */
  timeoutAt?: number;
  heartbeatAt?: number;
  /** The execution that a chained invoke started. */
  childId?: string;
}

/** A callback was completed from outside, or timed out. */
export interface CallbackEntry {
  kind: 'callback';
  at: number;
  id: string;
  status: 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT';
  result?: string;
  error?: ErrorObject;
}

/** The execution that a chained invoke started has ended. */
export interface InvokedEntry {
  kind: 'invoked';
  at: number;
  id: string;
  status: 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'STOPPED';
  result?: string;
  error?: ErrorObject;
}

export const encodeEntries = (entries: readonly LogEntry[]): string => JSON.stringify(entries);
export const decodeEntries = (row: string): LogEntry[] => JSON.parse(row) as LogEntry[];
