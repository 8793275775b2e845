/** How far apart what is written often lies: a partition takes 1,000 writes a second, an item one transaction at a time. */
export const SHARDS = {
  /** Of every status, and of the list of all tasks. Each list that isn't of one user reads all of them. */
  tasks: 4,
  /** Of the users with their slots and how much they have in the queue. Each admission reads all of them. */
  users: 4,
  /** Of the slots of the whole system. */
  slots: 16,
  /** Of the order of the queue. */
  queue: 4,
  /** Of every state of deliveries. */
  deliveries: 4,
  /** Of the names of leases. */
  leases: 4,
} as const;

export type Sharded = keyof typeof SHARDS;

/** Every shard of a kind. */
export const shardsOf = (kind: Sharded): number[] => Array.from({ length: SHARDS[kind] }, (_, n) => n);

/** The shard of a key: always the same (FNV-1a). */
export function shardOf(kind: Sharded, key: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % SHARDS[kind];
}
