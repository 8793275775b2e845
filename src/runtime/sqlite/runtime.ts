import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { DurableExecutionHandler } from '@aws/durable-execution-sdk-js';
import type { Database } from '../../sqlite/database.ts';
import { openDatabase } from '../../sqlite/open.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { DurableRuntime, ExecutionDescription } from '../runtime.ts';
import { createEngine } from './engine.ts';
import { type ExecutionRow, runtimeMigrations } from './executions.ts';
import { failureOf } from './failure.ts';
import { historyOf } from './history.ts';
import { DEFAULT_LIMITS, type RuntimeLimits } from './limits.ts';
import { decodeEntries } from './log.ts';
import { createRetention } from './retention.ts';
import { usableAtOnce } from './usable-at-once.ts';

export type { DurableRuntime, ExecutionDescription, ExecutionStatus } from '../runtime.ts';
export type { RuntimeLimits } from './limits.ts';
export { runtimeMigrations };

export interface SqliteRuntimeOptions {
  /** The runtime's own database file, made when missing. Either this or `database`. */
  file?: string;
  /** An open database that has `runtimeMigrations`; it's not closed by `close()`. */
  database?: Database;
  /** Raise or lower what an execution may use. Defaults: those of the Lambda service. */
  limits?: Partial<RuntimeLimits>;
  /** How long ended executions are kept, in days. Default 90. */
  retentionDays?: number;
  /** When the first such cleaning is due after the start, in milliseconds; others follow each hour. Default 10 s. */
  sweepAfterMs?: number;
  /**
   * Collect garbage and give its memory back to the system when nothing has been going on for so long, in milliseconds.
   * For a process that is the runtime's own, such as a server; it takes some ten milliseconds. Default: never.
   */
  trimAfterMs?: number;
  /** Milliseconds since the epoch. Default: the system's clock. */
  now?: () => number;
  /** Unguessable ids for tokens and callbacks. Default: random UUIDs. */
  newId?: () => string;
  /** Told when an execution could not be driven; it's tried again. Default: a warning of the process. */
  onError?: (error: Error) => void;
}

/**
 * Durable executions in this process, their state in one SQLite file: handlers written against AWS's durable execution SDK run
 * here as they do on Lambda. Executions that a former process left go on as soon as their handler is registered. It keeps the
 * process alive until it's closed. It can be used at once; awaiting it tells whether its file could be opened.
 * Throws DATABASE_LOCKED (then, or at the first call) when another process has the file.
 */
export const createSqliteRuntime = (
  options: SqliteRuntimeOptions,
): DurableRuntime & PromiseLike<DurableRuntime> => usableAtOnce(openRuntime(options));

async function openRuntime(options: SqliteRuntimeOptions): Promise<DurableRuntime> {
  const {
    file,
    retentionDays = 90,
    sweepAfterMs = 10_000,
    now = Date.now,
    newId = randomUUID,
    onError = process.emitWarning,
  } = options;
  const database =
    options.database ?? (file && (await openDatabase({ file, migrations: [runtimeMigrations], now })));
  if (!database)
    throw new BgAgentError('VALIDATION_ERROR', 'Give the runtime a file or a database.', { field: 'file' });

  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const waiters = new Map<string, ((row: ExecutionRow | undefined) => void)[]>();
  const { trimAfterMs } = options;
  const engine = createEngine({ database, limits, now, newId, onError, trimAfterMs, ended });
  const retention = createRetention({
    database,
    table: engine.table,
    retentionDays,
    sweepAfterMs,
    now,
    onError,
  });
  let isOpen = true;

  function ended(row: ExecutionRow): void {
    const waiting = waiters.get(row.id);
    waiters.delete(row.id);
    for (const settle of waiting ?? []) settle(row);
  }

  /** As it is now; throws EXECUTION_NOT_FOUND. */
  function rowOf(id: string): ExecutionRow {
    const row = engine.live.get(id)?.row ?? engine.table.byId(id);
    if (!row)
      throw new BgAgentError('EXECUTION_NOT_FOUND', `There is no execution "${id}".`, { field: 'id' });
    return row;
  }

  const checkOpen = (): void => {
    if (!isOpen) throw new BgAgentError('SERVICE_UNAVAILABLE', 'The runtime is closed.');
  };

  return {
    register<In, Out>(
      name: string,
      handler: DurableExecutionHandler<In, Out>,
      { timeoutSeconds }: { timeoutSeconds?: number } = {},
    ) {
      engine.register(name, handler, timeoutSeconds);
    },

    async start(name, input, { id }) {
      checkOpen();
      checkId(id);
      const payload = JSON.stringify(input) ?? '{}';
      if (Buffer.byteLength(payload) > limits.inputBytes) {
        throw new BgAgentError('PAYLOAD_TOO_LARGE', `The input is larger than ${limits.inputBytes} bytes.`, {
          field: 'input',
        });
      }
      const present = engine.live.get(id);
      const row = present?.row ?? engine.table.byId(id);
      if (row) {
        if (row.name !== name || !isDeepStrictEqual(JSON.parse(row.input), JSON.parse(payload))) {
          const message = `Execution "${id}" was started with another ${row.name === name ? 'input' : 'handler'}.`;
          throw new BgAgentError('EXECUTION_ALREADY_STARTED', message, { field: 'id' });
        }
        await present?.written;
        return descriptionOf(row);
      }
      const fresh = engine.newRow(name, { id, input: payload, parent: null });
      if (!fresh)
        throw new BgAgentError('HANDLER_NOT_REGISTERED', `No handler is registered as "${name}".`, {
          field: 'name',
        });
      const execution = engine.live.add(fresh);
      const written = engine.live.write([execution], [engine.table.insert(fresh)]);
      engine.drive(execution);
      await written;
      return descriptionOf(fresh);
    },

    async result(id) {
      checkOpen();
      let row: ExecutionRow | undefined = rowOf(id);
      if (row.status === 'RUNNING' || engine.live.get(id)?.unwritten) {
        row = await new Promise<ExecutionRow | undefined>((resolve) => {
          const waiting = waiters.get(id);
          if (waiting) waiting.push(resolve);
          else waiters.set(id, [resolve]);
        });
      }
      if (!row)
        throw new BgAgentError(
          'SERVICE_UNAVAILABLE',
          'The runtime was closed before the execution had ended.',
        );
      if (row.status !== 'SUCCEEDED') throw failureOf(row);
      return parsed(row.result);
    },

    async describe(id) {
      return descriptionOf(rowOf(id));
    },

    async history(id) {
      await engine.live.get(id)?.written;
      const row = rowOf(id);
      const unsaved = engine.live.get(id)?.unsaved ?? [];
      return historyOf(row, engine.table.log(row.key).flatMap(decodeEntries).concat(unsaved));
    },

    ...engine.callbacks,

    async stop(id) {
      checkOpen();
      rowOf(id);
      const execution = engine.live.load(id);
      if (!execution) return;
      execution.invocation = undefined;
      await engine.moves.end(execution, { status: 'STOPPED' });
    },

    async close() {
      if (!isOpen) return;
      isOpen = false;
      retention.stop();
      await engine.close();
      for (const waiting of waiters.values()) for (const settle of waiting) settle(undefined);
      waiters.clear();
      if (!options.database) await database.close();
    },
  };
}

/** `#` is kept for executions that chained invokes start. */
function checkId(id: string): void {
  if (!/^[\x21-\x22\x24-\x7e]{1,256}$/.test(id)) {
    const message = 'An execution id has 1 to 256 printable ASCII characters without spaces and "#".';
    throw new BgAgentError('VALIDATION_ERROR', message, { field: 'id' });
  }
}

const parsed = (json: string | null): unknown =>
  json === null || json === '' ? undefined : JSON.parse(json);

const descriptionOf = (row: ExecutionRow): ExecutionDescription => ({
  id: row.id,
  name: row.name,
  status: row.status,
  startedAt: new Date(row.startedAt).toISOString(),
  endedAt: row.endedAt === null ? null : new Date(row.endedAt).toISOString(),
  input: parsed(row.input),
  result: parsed(row.result) ?? null,
  error: row.error && { type: row.error.ErrorType ?? 'Error', message: row.error.ErrorMessage ?? '' },
});
