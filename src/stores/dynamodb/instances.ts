import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { z } from 'zod';
import {
  type FleetSession,
  fleetInstanceSchema,
  fleetSessionSchema,
  type InstanceStore,
  type Wish,
} from '../instance-store.ts';
import { ConditionFailed, createDynamo, type DynamoOptions, succeeds } from './dynamo.ts';
import { createExpression, type Expression } from './expression.ts';
import { expiry, stateKey } from './parts.ts';
import { fromItem, type Item, number, text, textOf, toItem } from './values.ts';

const wishSchema: z.ZodType<Wish> = z.object({
  sessionId: z.string(),
  fleet: z.string(),
  pool: z.string(),
  untilMs: z.number(),
});

type Kind = 'instance' | 'session' | 'wish';

/** How long after its time a session or a wish that nobody took away is kept. */
const KEPT_MS = 30 * 86_400_000;

const keyOf = (kind: Kind, id: string): Item => stateKey(`${kind}#${id}`);
const poolOf = (fleet: string, pool: string): string => `${fleet}\u0000${pool}`;
const grouped = (kind: Kind, fleet: string, id: string): Item => ({
  _group: text(`${kind}#${fleet}`),
  _member: text(id),
});

/** The machines of fleets, in the table `state`. A claim is one transaction of machine, session and wish. */
export function createDynamoInstanceStore({
  now,
  ...options
}: DynamoOptions & {
  /** Milliseconds since 1970. */
  now(): number;
}): InstanceStore {
  const dynamo = createDynamo(options);
  const TableName = dynamo.names.state;

  async function read<T>(kind: Kind, id: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const item = await dynamo.get('state', keyOf(kind, id));
    return item && fromItem(schema, item);
  }
  const session = (sessionId: string) => read('session', sessionId, fleetSessionSchema);

  /** Ids come from an index, which may lag; the records are as they are. */
  async function listOf<T>(kind: Kind, fleet: string, schema: z.ZodType<T>): Promise<T[]> {
    const found = await dynamo.query({ table: 'state', index: 'by_group', partition: `${kind}#${fleet}` });
    const ids = found.map((item) => textOf(item, '_member') ?? '').sort();
    const items = await dynamo.getMany(
      'state',
      ids.map((id) => keyOf(kind, id)),
    );
    const byKey = new Map(items.map((item) => [textOf(item, 'pk'), item]));
    return ids.flatMap((id) => {
      const item = byKey.get(`${kind}#${id}`);
      return item ? [fromItem(schema, item)] : [];
    });
  }

  const dropWish = async (sessionId: string): Promise<void> => {
    await dynamo.remove('state', keyOf('wish', sessionId));
  };

  return {
    add: (instance) =>
      succeeds(
        dynamo.put('state', {
          Item: {
            ...keyOf('instance', instance.instanceId),
            ...toItem(instance),
            ...grouped('instance', instance.fleet, instance.instanceId),
            _pool: text(poolOf(instance.fleet, instance.pool)),
          },
          ConditionExpression: 'attribute_not_exists(pk)',
        }),
      ),

    get: (instanceId) => read('instance', instanceId, fleetInstanceSchema),

    list: (fleet) => listOf('instance', fleet, fleetInstanceSchema),

    async idle(fleet, pool) {
      const found = await dynamo.query({
        table: 'state',
        index: 'by_pool',
        partition: poolOf(fleet, pool),
        range: { equal: 'idle' },
      });
      const items = await dynamo.getMany(
        'state',
        found.map((item) => stateKey(textOf(item, 'pk') ?? '')),
      );
      // The index may not know of the latest claims yet: nobody needs to try these.
      const machines = items.map((item) => fromItem(fleetInstanceSchema, item));
      return machines.filter(({ phase }) => phase === 'idle').map(({ instanceId }) => instanceId);
    },

    move(instanceId, { from, to, patch = {} }) {
      const expression = createExpression();
      const UpdateExpression = setOf({ sinceMs: now(), ...patch, phase: to }, expression);
      const ConditionExpression = expression.oneOf('phase', from.map(text));
      return succeeds(
        dynamo.update('state', keyOf('instance', instanceId), {
          UpdateExpression,
          ConditionExpression,
          ...expression.parts(),
        }),
      );
    },

    async remove(instanceId) {
      const { name, value, parts } = createExpression();
      // One that isn't there has no phase.
      const ConditionExpression = `${name('phase')} <> ${value(text('busy'))}`;
      return succeeds(
        dynamo.remove('state', keyOf('instance', instanceId), {
          ConditionExpression: `attribute_exists(pk) AND ${ConditionExpression}`,
          ...parts(),
        }),
      );
    },

    async claim(claimed) {
      const { sessionId, instanceId, fleet } = claimed;
      const expression = createExpression();
      const { name, value } = expression;
      const fields = { phase: 'busy', sessionId, sinceMs: now(), reason: null };
      const UpdateExpression = setOf(fields, expression);
      const idle = `${name('phase')} = ${value(text('idle'))} AND ${name('fleet')} = ${value(text(fleet))}`;
      const Item = {
        ...keyOf('session', sessionId),
        ...toItem(claimed),
        ...grouped('session', fleet, sessionId),
        ...expiry(claimed.expiresAtMs + KEPT_MS),
      };
      try {
        await dynamo.transact([
          { Put: { TableName, Item, ConditionExpression: 'attribute_not_exists(pk)' } },
          {
            Update: {
              TableName,
              Key: keyOf('instance', instanceId),
              UpdateExpression,
              ConditionExpression: idle,
              ...expression.parts(),
            },
          },
          { Delete: { TableName, Key: keyOf('wish', sessionId) } },
        ]);
        return 'claimed';
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        return error.index === 0 ? 'known' : 'taken';
      }
    },

    async release(sessionId, to) {
      const held = await session(sessionId);
      if (!held) return false;
      const expression = createExpression();
      const set = setOf({ released: true }, expression);
      return succeeds(
        dynamo.transact([
          freed(held, to, 1),
          {
            Update: {
              TableName,
              Key: keyOf('session', sessionId),
              UpdateExpression: set,
              ConditionExpression: 'attribute_exists(pk)',
              ...expression.parts(),
            },
          },
        ]),
      );
    },

    async undo(sessionId, owner, to) {
      const held = await session(sessionId);
      if (!held) return false;
      const { name, value, parts } = createExpression();
      const ConditionExpression = `${name('owner')} = ${value(text(owner))}`;
      const Key = keyOf('session', sessionId);
      return succeeds(
        dynamo.transact([
          { Delete: { TableName, Key, ConditionExpression, ...parts() } },
          freed(held, to, 0),
        ]),
      );
    },

    async adopt(sessionId, owner) {
      const expression = createExpression();
      const UpdateExpression = setOf({ owner }, expression);
      try {
        const item = await dynamo.update('state', keyOf('session', sessionId), {
          UpdateExpression,
          ConditionExpression: 'attribute_exists(pk)',
          ...expression.parts(),
        });
        return fromItem(fleetSessionSchema, item);
      } catch (error) {
        if (error instanceof ConditionFailed) return undefined;
        throw error;
      }
    },

    session,

    sessions: (fleet) => listOf('session', fleet, fleetSessionSchema),

    noteCommand: (sessionId, commandId) => noteOnce(sessionId, { commandId }),

    noteEnd: (sessionId, end) => noteOnce(sessionId, { end }),

    async forget(sessionId) {
      await dropWish(sessionId);
      const known = await session(sessionId);
      if (!known) return;
      const { name, value, parts } = createExpression();
      const ConditionExpression = `NOT ${name('sessionId')} = ${value(text(sessionId))}`;
      const Key = keyOf('instance', known.instanceId);
      // Not while it has the machine.
      await succeeds(
        dynamo.transact([
          { Delete: { TableName, Key: keyOf('session', sessionId) } },
          { ConditionCheck: { TableName, Key, ConditionExpression, ...parts() } },
        ]),
      );
    },

    async wish(wish) {
      const Item = {
        ...keyOf('wish', wish.sessionId),
        ...toItem(wish),
        ...grouped('wish', wish.fleet, wish.sessionId),
        ...expiry(wish.untilMs + KEPT_MS),
      };
      await dynamo.put('state', { Item });
    },

    wishes: (fleet) => listOf('wish', fleet, wishSchema),

    dropWish,
  };

  /** Takes the machine back while this session has it. */
  function freed(
    { sessionId, instanceId }: FleetSession,
    to: 'idle' | 'draining',
    runs: number,
  ): TransactWriteItem {
    const expression = createExpression();
    const { name, value } = expression;
    const ConditionExpression = `${name('sessionId')} = ${value(text(sessionId))}`;
    const set = setOf({ phase: to, sessionId: null, sinceMs: now() }, expression);
    const UpdateExpression = `${set} ADD ${name('sessionsRun')} ${value(number(runs))}`;
    const Key = keyOf('instance', instanceId);
    return { Update: { TableName, Key, UpdateExpression, ConditionExpression, ...expression.parts() } };
  }

  /** Sets a field of a session that is there and has none yet. */
  function noteOnce(sessionId: string, fields: { commandId: string } | Pick<FleetSession, 'end'>) {
    const expression = createExpression();
    const [field = ''] = Object.keys(fields);
    const UpdateExpression = setOf(fields, expression);
    const ConditionExpression = `attribute_type(${expression.name(field)}, ${expression.value(text('NULL'))})`;
    return succeeds(
      dynamo.update('state', keyOf('session', sessionId), {
        UpdateExpression,
        ConditionExpression,
        ...expression.parts(),
      }),
    );
  }
}

const setOf = (fields: object, { name, value }: Expression): string =>
  `SET ${Object.entries(toItem(fields))
    .map(([field, attribute]) => `${name(field)} = ${value(attribute)}`)
    .join(', ')}`;
