import { DatabaseSync } from 'node:sqlite';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { Batch, FromWriter, ToWriter } from './batch.ts';
import { createCommitter } from './commit.ts';
import type { MigrationSet } from './database.ts';
import { lockDatabase } from './lock.ts';
import { migrate } from './migrate.ts';

/** The worker thread that owns the write connection. Everything that waits when a commit ends shares the next one. */

export interface WriterData {
  file: string;
  pid: number;
  migrations: readonly MigrationSet[];
  /** When the database is opened: what migrations note. */
  openedAt: number;
}

const WAL_KEPT_BYTES = 64 * 1024 * 1024;
/** Pages (4 kB) in the log before it is folded into the file: rarely enough that pages written often are folded once. */
const WAL_FOLDED_AT_PAGES = 4_000;

function openForWriting({ file, pid, migrations, openedAt }: WriterData): {
  db: DatabaseSync;
  close(): void;
} {
  const lock = lockDatabase(file, pid);
  const db = new DatabaseSync(file, { timeout: 5_000 });
  const close = (): void => {
    db.close();
    lock.release();
  };
  try {
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${WAL_KEPT_BYTES};
             PRAGMA wal_autocheckpoint = ${WAL_FOLDED_AT_PAGES};
             PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF`);
    migrate(db, migrations, () => openedAt);
  } catch (error) {
    close();
    throw error;
  }
  return { db, close };
}

function serve(port: MessagePort, data: WriterData): void {
  const send = (message: FromWriter): void => port.postMessage(message);
  let opened: ReturnType<typeof openForWriting>;
  try {
    opened = openForWriting(data);
  } catch (error) {
    const code = error instanceof BgAgentError ? error.code : 'INTERNAL_ERROR';
    const cause = error instanceof Error && error.cause ? ` (${messageOf(error.cause)})` : '';
    send({
      kind: 'refused',
      code: error instanceof BgAgentError ? error.code : 'DATABASE_DAMAGED',
      message: `${error instanceof BgAgentError ? '' : `${data.file}: `}${messageOf(error)}${code === 'DATABASE_LOCKED' ? '' : cause}`,
    });
    port.close();
    return;
  }
  const committer = createCommitter(opened.db);
  port.on('message', (first: ToWriter) => {
    const batches: Batch[] = [];
    let closing = false;
    for (let next: ToWriter | undefined = first; next; next = receiveMessageOnPort(port)?.message) {
      if (next.kind === 'batch') batches.push(next);
      else closing = true;
    }
    if (batches.length > 0) send(committer.commit(batches));
    if (closing) {
      opened.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      opened.close();
      port.close();
    }
  });
  send({ kind: 'ready' });
}

if (parentPort) serve(parentPort, workerData as WriterData);
