import type { DurableExecutionHandler } from '@aws/durable-execution-sdk-js';
import type { Event } from '@aws-sdk/client-lambda';

/** Durable executions: `sqlite` in process, `lambda` on AWS. Handlers are written once against AWS's durable execution SDK. */
export interface DurableRuntime {
  /**
   * Makes `handler` known under `name`; register before starting executions, and at each start of the process.
   * `timeoutSeconds`: how long its executions may take before they end as TIMED_OUT. Default: no limit.
   */
  register<In, Out>(
    name: string,
    handler: DurableExecutionHandler<In, Out>,
    options?: { timeoutSeconds?: number },
  ): void;

  /**
   * Starts an execution. Idempotent by `id`: the same id and input returns the same execution; the same id with another
   * input throws EXECUTION_ALREADY_STARTED. Resolves when the start is durable, not when the execution ends.
   */
  start(name: string, input: unknown, options: { id: string }): Promise<ExecutionDescription>;

  /** Waits for the end; returns the result or throws what the execution failed with. */
  result(id: string): Promise<unknown>;

  /** Throws EXECUTION_NOT_FOUND. */
  describe(id: string): Promise<ExecutionDescription>;

  /** Events in the shape of the service's GetDurableExecutionHistory (`@aws-sdk/client-lambda` Event), oldest first. */
  history(id: string): Promise<Event[]>;

  /**
   * The workflow gets a string as it is, anything else as JSON (unless its callback has another serdes).
   * Throws CALLBACK_NOT_FOUND, CALLBACK_CLOSED, PAYLOAD_TOO_LARGE. Resolves when durable.
   */
  completeCallback(callbackId: string, result?: unknown): Promise<void>;
  failCallback(callbackId: string, error: unknown): Promise<void>;
  /** Restarts the callback's heartbeat timer. */
  heartbeatCallback(callbackId: string): Promise<void>;

  /** Ends a running execution as STOPPED; its callbacks close, its invocation's checkpoints are refused. */
  stop(id: string): Promise<void>;

  /** Stops invoking; what is durable goes on at the next start. */
  close(): Promise<void>;
}

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'STOPPED';

export interface ExecutionDescription {
  id: string;
  name: string;
  status: ExecutionStatus;
  startedAt: string;
  endedAt: string | null;
  input: unknown;
  result: unknown;
  error: { type: string; message: string } | null;
}
