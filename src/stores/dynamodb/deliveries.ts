import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { BgAgentError } from '../../task/errors.ts';
import {
  DELIVERY_STATES,
  type Delivery,
  type DeliveryResult,
  type DeliveryStore,
  deliveryId,
  type NewDelivery,
  partsOfDeliveryId,
} from '../delivery-store.ts';
import { pagePosition, pageToken, toPage } from '../page-token.ts';
import { changeLine, type Line } from './delivery-lines.ts';
import {
  deliveryKey,
  dueGroup,
  fromDeliveryItem,
  type StoredDelivery,
  stateGroup,
  timeOfPlace,
  toDeliveryItem,
} from './delivery-records.ts';
import { succeeds } from './dynamo.ts';
import { createExpression } from './expression.ts';
import { type StoreParts, stateKey } from './parts.ts';
import { shardsOf } from './shards.ts';
import { number, text, textOf } from './values.ts';

/** More than any delivery's id. */
const NEWEST = '~';

export function createDeliveryStore(parts: StoreParts): DeliveryStore {
  const { dynamo, now } = parts;
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const onDue of listeners) queueMicrotask(onDue);
  };
  const cursorKey = (reader: string) => stateKey(`feed-cursor#${reader}`);
  const idOf = (eventId: string, { channel }: Pick<Line, 'channel'>): string => deliveryId(eventId, channel);

  async function read(id: string): Promise<StoredDelivery | undefined> {
    if (!partsOfDeliveryId(id)) return undefined;
    const item = await dynamo.get('state', deliveryKey(id));
    return item && fromDeliveryItem(item);
  }
  async function readMany(ids: readonly string[]): Promise<StoredDelivery[]> {
    return (await dynamo.getMany('state', ids.map(deliveryKey))).map(fromDeliveryItem);
  }

  /** Replaces a delivery while nobody else has: its attempts grow with every claim, and its state says the rest. */
  function replacement(before: StoredDelivery, changes: Partial<Delivery>, owner: string | null) {
    const { name, value, parts: places } = createExpression();
    const { attempts, state } = before.delivery;
    const delivery = { ...before.delivery, ...changes, updated_at_ms: now() };
    return {
      Item: toDeliveryItem({ delivery, owner }, parts),
      ConditionExpression: `${name('attempts')} = ${value(number(attempts))} AND ${name('state')} = ${value(text(state))}`,
      ...places(),
    };
  }
  const inTransaction = (put: ReturnType<typeof replacement>): TransactWriteItem => ({
    Put: { TableName: dynamo.names.state, ...put },
  });

  async function appendToLine(line: Line, rows: readonly NewDelivery[]): Promise<void> {
    await changeLine(parts, line, async (open) => {
      const known = await readMany(rows.map(({ event }) => idOf(event.event_id, line)));
      const knownIds = new Set(known.map(({ delivery }) => delivery.event.event_id));
      const byId = new Map(rows.map((row) => [row.event.event_id, row]));
      const fresh = [...byId.values()].filter(({ event }) => !knownIds.has(event.event_id));
      if (fresh.length === 0) return null;
      const at = now();
      const all = [...open, ...fresh.map(({ event }) => event.event_id)].sort();
      const writes = fresh.map(({ event, type }): TransactWriteItem => {
        const delivery: Delivery = {
          delivery_id: idOf(event.event_id, line),
          channel: line.channel,
          task_id: line.taskId,
          event,
          type,
          state: 'pending',
          attempts: 0,
          failures: 0,
          note: null,
          // The others wait behind the first.
          due_at_ms: all[0] === event.event_id ? at : null,
          created_at_ms: at,
          updated_at_ms: at,
        };
        const Item = toDeliveryItem({ delivery, owner: null }, parts);
        return {
          Put: { TableName: dynamo.names.state, Item, ConditionExpression: 'attribute_not_exists(pk)' },
        };
      });
      return { open: all, writes };
    });
  }

  /** Ends a delivery, and makes the next of its line due. */
  async function finish(id: string, attempts: number, result: DeliveryResult): Promise<boolean> {
    const first = await read(id);
    if (!first || result.kind === 'retry') return false;
    const { task_id: taskId, channel, event } = first.delivery;
    const state = result.kind;
    return changeLine(parts, { taskId, channel }, async (open) => {
      const before = await read(id);
      if (!before || !isHeld(before, attempts)) return null;
      const failures = before.delivery.failures + (state === 'sent' ? 0 : 1);
      const rest = open.filter((eventId) => eventId !== event.event_id);
      const next = rest[0] === undefined ? undefined : await read(deliveryId(rest[0], channel));
      return {
        open: rest,
        writes: [
          inTransaction(replacement(before, { state, failures, note: result.note, due_at_ms: null }, null)),
          ...(next && next.delivery.due_at_ms === null
            ? [inTransaction(replacement(next, { due_at_ms: now() }, null))]
            : []),
        ],
      };
    });
  }

  return {
    async cursor(reader) {
      return textOf(await dynamo.get('state', cursorKey(reader)), 'event_id') ?? '';
    },

    async append(rows, { reader, cursor }) {
      const lines = Map.groupBy(rows, ({ event, channel }) => `${event.task_id} ${channel}`);
      const most = dynamo.maxTransactionItems - 1;
      for (const [first, ...others] of lines.values()) {
        if (!first) continue;
        const ofLine = [first, ...others];
        const line = { taskId: first.event.task_id, channel: first.channel };
        for (let at = 0; at < ofLine.length; at += most)
          await appendToLine(line, ofLine.slice(at, at + most));
      }
      // The rows first: whoever stops in between appends them again, and each is kept once.
      const { name, value, parts: places } = createExpression();
      const event = name('event_id');
      const UpdateExpression = `SET ${event} = ${value(text(cursor))}`;
      const ConditionExpression = `attribute_not_exists(${event}) OR ${event} < ${value(text(cursor))}`;
      if (cursor !== '')
        await succeeds(
          dynamo.update('state', cursorKey(reader), { UpdateExpression, ConditionExpression, ...places() }),
        );
      if (rows.length > 0) tell();
    },

    async claim({ channel, owner, leaseMs, limit }) {
      const due = (await readMany(await dueIds(channel, limit))).filter(
        ({ delivery }) => delivery.due_at_ms !== null && delivery.due_at_ms <= now(),
      );
      const claimed = await Promise.all(
        due.map(async (before) => {
          const changes = {
            state: 'claimed' as const,
            attempts: before.delivery.attempts + 1,
            due_at_ms: now() + leaseMs,
          };
          const won = await succeeds(dynamo.put('state', replacement(before, changes, owner)));
          return won ? [{ ...before.delivery, ...changes, updated_at_ms: now() }] : [];
        }),
      );
      return claimed.flat().sort((a, b) => (a.delivery_id < b.delivery_id ? -1 : 1));
    },

    async settle({ delivery_id: id, attempts }, result) {
      let settled: boolean;
      if (result.kind === 'retry') {
        const before = await read(id);
        if (!before || !isHeld(before, attempts)) return false;
        const failures = before.delivery.failures + (result.countsAsFailure ? 1 : 0);
        const changes = { state: 'pending' as const, failures, note: result.note, due_at_ms: result.dueAtMs };
        settled = await succeeds(dynamo.put('state', replacement(before, changes, null)));
      } else settled = await finish(id, attempts, result);
      if (settled) tell();
      return settled;
    },

    async nextDue(channel) {
      const [first] = await dynamo.query({
        table: 'state',
        index: 'due',
        partition: dueGroup(channel),
        limit: 1,
      });
      return first === undefined ? null : timeOfPlace(textOf(first, '_due') ?? '');
    },

    async releaseClaims(owner) {
      let released = 0;
      for (const before of await readMany(await idsIn('claimed', NEWEST))) {
        if (before.delivery.state !== 'claimed' || before.owner === owner) continue;
        const changes = { state: 'pending' as const, due_at_ms: now() };
        if (await succeeds(dynamo.put('state', replacement(before, changes, null)))) released += 1;
      }
      tell();
      return released;
    },

    async get(id) {
      return (await read(id))?.delivery;
    },

    async list({ state, limit, nextToken }) {
      const before = pagePosition('deliveries', nextToken, NEWEST);
      const states = state === undefined ? DELIVERY_STATES : [state];
      const each = await Promise.all(states.map((one) => idsIn(one, before, limit + 1)));
      const ids = [...new Set(each.flat())]
        .sort()
        .reverse()
        .slice(0, limit + 1);
      const found = (await readMany(ids)).map(({ delivery }) => delivery);
      const fitting = found.filter((delivery) => state === undefined || delivery.state === state);
      fitting.sort((a, b) => (a.delivery_id < b.delivery_id ? 1 : -1));
      return toPage(fitting, limit, (last) => pageToken('deliveries', last.delivery_id));
    },

    async replay(id) {
      const found = await read(id);
      if (!found) throw new BgAgentError('DELIVERY_NOT_FOUND', `no delivery ${id.slice(0, 100)}`);
      const { task_id: taskId, channel, event } = found.delivery;
      let replayed = found.delivery;
      await changeLine(parts, { taskId, channel }, async (open) => {
        const before = (await read(id)) ?? found;
        if (before.delivery.state !== 'failed' && before.delivery.state !== 'dead')
          throw new BgAgentError('DELIVERY_NOT_REPLAYABLE', `delivery ${id} is ${before.delivery.state}`);
        const changes = { state: 'pending' as const, failures: 0, due_at_ms: now() };
        replayed = { ...before.delivery, ...changes, updated_at_ms: now() };
        return {
          open: [...new Set([...open, event.event_id])].sort(),
          writes: [inTransaction(replacement(before, changes, null))],
        };
      });
      tell();
      return replayed;
    },

    subscribe(onDue) {
      const listener = (): void => onDue();
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };

  /** Of the channel, the longest due first. From an index: who claims one looks again. */
  async function dueIds(channel: string, limit: number): Promise<string[]> {
    const found = await dynamo.query({
      table: 'state',
      index: 'due',
      partition: dueGroup(channel),
      limit,
    });
    return found.map((item) => idOfKey(textOf(item, 'pk') ?? ''));
  }

  /** Ids in a state, newest first. */
  async function idsIn(state: string, before: string, limit?: number): Promise<string[]> {
    const each = await Promise.all(
      shardsOf('deliveries').map((shard) =>
        dynamo.query({
          table: 'state',
          index: 'by_state',
          partition: stateGroup(state, shard),
          range: { before },
          descending: true,
          ...(limit !== undefined && { limit }),
        }),
      ),
    );
    return each.flat().map((item) => textOf(item, '_member') ?? '');
  }
}

const isHeld = ({ delivery }: StoredDelivery, attempts: number): boolean =>
  delivery.state === 'claimed' && delivery.attempts === attempts;

const idOfKey = (pk: string): string => pk.slice('delivery#'.length);
