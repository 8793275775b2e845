import type { Migration } from '../../sqlite/database.ts';

/** Deliveries, what channels have posted, and whose accounts elsewhere are whose here. */
export const fanOutMigration: Migration = {
  version: 3,
  sql: `
UPDATE tasks SET doc = json_set(doc, '$.channel_metadata', json('null'), '$.notifications', json('null'));

CREATE TABLE deliveries (
  event_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  task_id TEXT NOT NULL,
  type TEXT NOT NULL,
  event TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  owner TEXT,
  note TEXT,
  due_ms INTEGER, -- null: settled, or behind an earlier one of its task
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (event_id, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (channel, due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX deliveries_open ON deliveries (task_id, channel, event_id) WHERE state IN ('pending', 'claimed');
CREATE INDEX deliveries_unsent ON deliveries (state, event_id, channel) WHERE state <> 'sent';
CREATE INDEX deliveries_by_task ON deliveries (task_id);

CREATE TABLE feed_cursors (
  reader TEXT PRIMARY KEY,
  event_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- What happened before there were channels is nobody's news.
INSERT INTO feed_cursors SELECT 'fan-out', coalesce(max(event_id), '') FROM events;

CREATE TABLE messages (
  task_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  slot TEXT NOT NULL,
  event_id TEXT NOT NULL,
  attempted_at_ms INTEGER,
  ref TEXT,
  deleted INTEGER NOT NULL,
  PRIMARY KEY (task_id, channel, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE account_links (
  provider TEXT NOT NULL,
  external_id TEXT NOT NULL,
  doc TEXT NOT NULL,
  PRIMARY KEY (provider, external_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE link_codes (
  provider TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  expires_ms INTEGER NOT NULL,
  doc TEXT NOT NULL,
  PRIMARY KEY (provider, code_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_codes_by_expiry ON link_codes (expires_ms);
`,
};
