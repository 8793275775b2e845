/**
 * The tables, as data: what makes them on a laptop or in a test (`create-tables.ts`) and what makes them in a stack read the same.
 * All are on demand. Every index holds keys only: a record is always read from its table, strongly consistent.
 */

export interface TableDefinition {
  /** Always texts. */
  partition: string;
  sort?: string;
  indexes?: readonly { name: string; partition: string; sort: string }[];
  /** What is written is passed on, as it is after the write. */
  stream?: 'NEW_IMAGE';
}

/** In every table: when DynamoDB may remove the item, in seconds since 1970; absent = never. */
export const TTL_ATTRIBUTE = '_expires_at';

export const TABLES = {
  tasks: {
    partition: 'task_id',
    indexes: [
      { name: 'all', partition: '_shard', sort: 'task_id' },
      { name: 'by_status', partition: '_status_shard', sort: 'task_id' },
      { name: 'by_user', partition: 'user_id', sort: 'task_id' },
      { name: 'by_user_status', partition: '_user_status', sort: 'task_id' },
      { name: 'by_repo', partition: 'repo', sort: 'task_id' },
      { name: 'by_user_repo', partition: '_user_repo', sort: 'task_id' },
    ],
  },
  events: { partition: 'task_id', sort: 'event_id', stream: 'NEW_IMAGE' },
  leases: {
    partition: 'name',
    indexes: [{ name: 'by_name', partition: '_shard', sort: 'name' }],
  },
  /** Everything else: slots, queue, idempotency keys, outcomes, wake-ups, repositories, keys, deliveries, machines, … */
  state: {
    partition: 'pk',
    sort: 'sk',
    // Each holds only the items that have its keys.
    indexes: [
      { name: 'by_group', partition: '_group', sort: '_member' },
      { name: 'by_state', partition: '_state', sort: '_member' },
      { name: 'by_pool', partition: '_pool', sort: 'phase' },
      { name: 'due', partition: '_channel', sort: '_due' },
    ],
  },
} as const satisfies Record<string, TableDefinition>;

export type TableKey = keyof typeof TABLES;
/** The name of each table in the account. */
export type TableNames = Readonly<Record<TableKey, string>>;

/** `<prefix>-tasks`, `<prefix>-events`, … */
export function tableNames(prefix: string): TableNames {
  const name = (key: TableKey): string => `${prefix}-${key}`;
  return { tasks: name('tasks'), events: name('events'), leases: name('leases'), state: name('state') };
}
