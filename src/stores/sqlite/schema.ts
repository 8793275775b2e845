import type { MigrationSet } from '../../sqlite/database.ts';
import { fanOutMigration } from './fan-out-schema.ts';

/**
 * A record is one row: `doc` holds all of it as JSON, the columns repeat what is searched or compared, written by the same
 * statement. Times in text are ISO 8601 in UTC, so they sort as they are.
 */
export const storeMigrations: MigrationSet = {
  area: 'stores',
  migrations: [
    {
      version: 1,
      sql: `
CREATE TABLE tasks (
  task_id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  repo TEXT NOT NULL,
  status TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  queue_key TEXT, -- "<queued_at> <task_id>" while the task waits in the queue and nobody has cancelled it
  ended_at TEXT,
  doc TEXT NOT NULL
) STRICT;
CREATE INDEX tasks_by_status ON tasks (status, task_id);
CREATE INDEX tasks_by_user_status ON tasks (user_id, status, task_id);
CREATE INDEX tasks_by_repo ON tasks (repo, task_id);
CREATE INDEX tasks_by_user_repo ON tasks (user_id, repo, task_id);
CREATE INDEX tasks_queued ON tasks (queue_key) WHERE queue_key IS NOT NULL;
CREATE INDEX tasks_queued_by_user ON tasks (user_id, queue_key) WHERE queue_key IS NOT NULL;
CREATE INDEX tasks_ended ON tasks (ended_at) WHERE ended_at IS NOT NULL;

-- The concurrency slot of a user is a set of task ids: exactly the user's active tasks.
CREATE TABLE slots (
  task_id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX slots_by_user ON slots (user_id);

CREATE TABLE idempotency_keys (
  user_id TEXT NOT NULL,
  key TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  task_id TEXT NOT NULL,
  PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_task ON idempotency_keys (task_id);

CREATE TABLE events (
  event_id TEXT PRIMARY KEY,
  task_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  timestamp TEXT NOT NULL,
  metadata TEXT NOT NULL,
  attempt INTEGER, -- of a reported event, with
  seq INTEGER      -- its number there
) STRICT, WITHOUT ROWID;
CREATE INDEX events_by_task ON events (task_id, event_id);
CREATE UNIQUE INDEX events_reported ON events (task_id, attempt, seq) WHERE seq IS NOT NULL;

CREATE TABLE wakeups (
  task_id TEXT PRIMARY KEY,
  callback_id TEXT,
  signalled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outcomes (
  task_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  doc TEXT NOT NULL,
  PRIMARY KEY (task_id, attempt)
) STRICT;

CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_by_expiry ON leases (expires_at_ms);

CREATE TABLE repos (
  repo TEXT PRIMARY KEY,
  doc TEXT NOT NULL
) STRICT;

CREATE TABLE api_keys (
  key_id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  doc TEXT NOT NULL
) STRICT;
CREATE INDEX api_keys_by_user ON api_keys (user_id, key_id);
`,
    },
    {
      version: 2,
      sql: `
CREATE TABLE webhooks (
  webhook_id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  revoked_at TEXT,
  doc TEXT NOT NULL
) STRICT;
CREATE INDEX webhooks_by_user ON webhooks (user_id, webhook_id);
CREATE INDEX webhooks_revoked ON webhooks (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE webhook_deliveries (
  webhook_id TEXT NOT NULL,
  signature TEXT NOT NULL,
  key TEXT NOT NULL, -- the idempotency key under which the task of the delivery is made
  at TEXT NOT NULL,
  expires_at TEXT,
  PRIMARY KEY (webhook_id, signature)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_by_expiry ON webhook_deliveries (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE nudges (
  nudge_id TEXT PRIMARY KEY,
  task_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  idempotency_key TEXT,
  settled_at TEXT,
  doc TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX nudges_by_key ON nudges (task_id, user_id, idempotency_key);
CREATE INDEX nudges_by_task ON nudges (task_id, nudge_id);
CREATE INDEX nudges_waiting ON nudges (task_id, nudge_id) WHERE settled_at IS NULL;
`,
    },
    fanOutMigration,
  ],
};
