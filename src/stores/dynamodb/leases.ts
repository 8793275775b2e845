import { z } from 'zod';
import type { Lease, LeaseStore } from '../lease-store.ts';
import { ConditionFailed, type Dynamo, succeeds } from './dynamo.ts';
import { createExpression, type Expression } from './expression.ts';
import type { StoreParts } from './parts.ts';
import { shardOf, shardsOf } from './shards.ts';
import { TTL_ATTRIBUTE } from './tables.ts';
import { fromItem, type Item, number, text, textOf } from './values.ts';

const leaseSchema = z
  .object({ name: z.string(), owner: z.string(), epoch: z.number(), expires_at_ms: z.number() })
  .transform(({ expires_at_ms, ...lease }): Lease => ({ ...lease, expiresAtMs: expires_at_ms }));

const leaseKey = (name: string): Item => ({ name: text(name) });
const toLease = (item: Item): Lease => fromItem(leaseSchema, item);

export function createLeaseStore({
  dynamo,
  now,
  retentionMs,
}: Pick<StoreParts, 'dynamo' | 'now' | 'retentionMs'>): LeaseStore {
  const get = async (name: string): Promise<Lease | undefined> => {
    const item = await dynamo.get('leases', leaseKey(name));
    return item && toLease(item);
  };
  /** What a claim writes. DynamoDB removes the record long after its expiry, which is nobody's concern by then. */
  const fields = (expiresAtMs: number, fields: Item, { name, value }: Expression): string =>
    Object.entries({
      ...fields,
      expires_at_ms: number(expiresAtMs),
      [TTL_ATTRIBUTE]: number(Math.ceil((expiresAtMs + retentionMs) / 1_000)),
    })
      .map(([field, attribute]) => `${name(field)} = ${value(attribute)}`)
      .join(', ');

  return {
    async acquire(name, { owner, epoch, ttlMs }) {
      for (;;) {
        const at = now();
        const lease = { name, owner, epoch, expiresAtMs: at + ttlMs };
        const expression = createExpression();
        const { name: field, value } = expression;
        const claimed = { owner: text(owner), epoch: number(epoch), _shard: text(shardOfName(name)) };
        const update = `SET ${fields(lease.expiresAtMs, claimed, expression)}`;
        const [own, ours, later] = [field('owner'), value(text(owner)), value(number(epoch))];
        const free = `${own} <> ${ours} AND ${field('expires_at_ms')} <= ${value(number(at))}`;
        try {
          await dynamo.update('leases', leaseKey(name), {
            UpdateExpression: update,
            ConditionExpression: `attribute_not_exists(${own}) OR (${own} = ${ours} AND ${field('epoch')} <= ${later}) OR (${free})`,
            ...expression.parts(),
          });
          return { acquired: true, lease };
        } catch (error) {
          if (!(error instanceof ConditionFailed)) throw error;
          const holder = error.item ? toLease(error.item) : await get(name);
          if (holder) return { acquired: false, lease: holder };
          // Released between the two looks: it's free.
        }
      }
    },

    async renew(name, { owner, epoch, ttlMs }) {
      const at = now();
      const expression = createExpression();
      const update = `SET ${fields(at + ttlMs, {}, expression)}`;
      const held = `${isOf(owner, epoch, expression)} AND ${expression.name('expires_at_ms')} > ${expression.value(number(at))}`;
      return succeeds(
        dynamo.update('leases', leaseKey(name), {
          UpdateExpression: update,
          ConditionExpression: held,
          ...expression.parts(),
        }),
      );
    },

    async release(name, { owner, epoch }) {
      const expression = createExpression();
      const ConditionExpression = isOf(owner, epoch, expression);
      return succeeds(
        dynamo.remove('leases', leaseKey(name), { ConditionExpression, ...expression.parts() }),
      );
    },

    get,

    async list(prefix) {
      const leases = await leasesNamed(dynamo, prefix);
      return leases.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    },
  };
}

/** In no order. Names come from an index, which may lag; the records are as they are. */
async function leasesNamed(dynamo: Dynamo, prefix: string): Promise<Lease[]> {
  const found = await Promise.all(
    shardsOf('leases').map((shard) =>
      dynamo.query({ table: 'leases', index: 'by_name', partition: String(shard), range: { prefix } }),
    ),
  );
  const keys = found
    .flat()
    .map((item) => textOf(item, 'name') ?? '')
    // DynamoDB Local makes no difference between `p/` and `P/` here.
    .filter((name) => name.startsWith(prefix))
    .map(leaseKey);
  return (await dynamo.getMany('leases', keys)).map(toLease);
}

/** Removes at most `limit` records of leases that expired before a moment and were not taken since. */
export async function removeExpiredLeases(dynamo: Dynamo, beforeMs: number, limit: number): Promise<void> {
  const expired = (await leasesNamed(dynamo, '')).filter(({ expiresAtMs }) => expiresAtMs < beforeMs);
  for (const { name: lease } of expired.slice(0, limit)) {
    const { name, value, parts } = createExpression();
    const ConditionExpression = `${name('expires_at_ms')} < ${value(number(beforeMs))}`;
    await succeeds(dynamo.remove('leases', leaseKey(lease), { ConditionExpression, ...parts() }));
  }
}

const shardOfName = (name: string): string => String(shardOf('leases', name));

const isOf = (owner: string, epoch: number, { name, value }: Expression): string =>
  `${name('owner')} = ${value(text(owner))} AND ${name('epoch')} = ${value(number(epoch))}`;
