import { ConditionFailed, type Row, type Statement } from '../../sqlite/database.ts';
import { BgAgentError } from '../../task/errors.ts';
import {
  type Delivery,
  type DeliveryResult,
  type DeliveryState,
  type DeliveryStore,
  deliveryId,
  deliverySchema,
  partsOfDeliveryId,
} from '../delivery-store.ts';
import { pagePosition, pageToken, toPage } from '../page-token.ts';
import type { StoreParts } from './event-log.ts';

/** More than any delivery's id. */
const NEWEST = '~';

const INSERT = `
  INSERT INTO deliveries (event_id, channel, task_id, type, event, state, attempts, failures, created_ms, updated_ms)
  SELECT value ->> '$.event.event_id', value ->> 'channel', value ->> '$.event.task_id', value ->> 'type', value -> 'event',
    'pending', 0, 0, ?, ?
  FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`;

/** Makes the first open delivery of each task and channel due, unless it is already: the others wait behind it. */
const PROMOTE = `
  UPDATE deliveries SET due_ms = ?
  WHERE due_ms IS NULL AND (event_id, channel) IN (
    SELECT (SELECT event_id FROM deliveries AS open
            WHERE open.task_id = value ->> 0 AND open.channel = value ->> 1 AND open.state IN ('pending', 'claimed')
            ORDER BY open.event_id LIMIT 1), value ->> 1
    FROM json_each(?))`;

/** The same for the task of one delivery. */
const PROMOTE_NEXT = `
  UPDATE deliveries SET due_ms = ?
  WHERE due_ms IS NULL AND channel = ? AND event_id = (
    SELECT open.event_id FROM deliveries AS open
    WHERE open.task_id = (SELECT task_id FROM deliveries WHERE event_id = ? AND channel = ?)
      AND open.channel = ? AND open.state IN ('pending', 'claimed')
    ORDER BY open.event_id LIMIT 1)`;

const CLAIM = `
  UPDATE deliveries SET state = 'claimed', attempts = attempts + 1, owner = ?, due_ms = ?, updated_ms = ?
  WHERE (event_id, channel) IN (
    SELECT event_id, channel FROM deliveries WHERE channel = ? AND due_ms IS NOT NULL AND due_ms <= ? ORDER BY due_ms LIMIT ?)
  RETURNING *`;

const SETTLE = `
  UPDATE deliveries SET state = ?, failures = failures + ?, note = ?, due_ms = ?, owner = NULL, updated_ms = ?
  WHERE event_id = ? AND channel = ? AND state = 'claimed' AND attempts = ?
`;

export function createDeliveryStore({ database, now }: Omit<StoreParts, 'log'>): DeliveryStore {
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const onDue of listeners) queueMicrotask(onDue);
  };
  const promote = (targets: readonly (readonly [taskId: string, channel: string])[]): Statement => ({
    sql: PROMOTE,
    params: [now(), JSON.stringify(targets)],
  });
  const promoteNext = ({ eventId, channel }: { eventId: string; channel: string }): Statement => ({
    sql: PROMOTE_NEXT,
    params: [now(), channel, eventId, channel, channel],
  });

  function read(id: string): Delivery | undefined {
    const parts = partsOfDeliveryId(id);
    if (!parts) return undefined;
    const row = database.get(
      'SELECT * FROM deliveries WHERE event_id = ? AND channel = ?',
      parts.eventId,
      parts.channel,
    );
    return row && toDelivery(row);
  }

  return {
    async cursor(reader) {
      return String(
        database.get('SELECT event_id FROM feed_cursors WHERE reader = ?', reader)?.event_id ?? '',
      );
    },

    async append(rows, { reader, cursor }) {
      const at = now();
      const targets = new Map(
        rows.map(({ event, channel }) => [`${event.task_id} ${channel}`, [event.task_id, channel] as const]),
      );
      await database.write([
        ...(rows.length === 0
          ? []
          : [{ sql: INSERT, params: [at, at, JSON.stringify(rows)] }, promote([...targets.values()])]),
        {
          sql: 'INSERT INTO feed_cursors (reader, event_id) VALUES (?, ?) ON CONFLICT DO UPDATE SET event_id = excluded.event_id WHERE event_id < excluded.event_id',
          params: [reader, cursor],
        },
      ]);
      if (rows.length > 0) tell();
    },

    async claim({ channel, owner, leaseMs, limit }) {
      const at = now();
      const [claimed] = await database.write([
        { sql: CLAIM, params: [owner, at + leaseMs, at, channel, at, limit], returns: true },
      ]);
      const rows = (claimed?.rows ?? []).map(toDelivery);
      return rows.sort((a, b) => (a.event.event_id < b.event.event_id ? -1 : 1));
    },

    async settle({ delivery_id, attempts }, result) {
      const parts = partsOfDeliveryId(delivery_id);
      if (!parts) return false;
      const { state, failure, due } = outcomeOf(result);
      const at = now();
      try {
        await database.write([
          {
            sql: SETTLE,
            params: [state, failure, result.note, due, at, parts.eventId, parts.channel, attempts],
            expect: 'changed',
          },
          ...(due === null ? [promoteNext(parts)] : []),
        ]);
      } catch (error) {
        if (error instanceof ConditionFailed) return false;
        throw error;
      }
      tell();
      return true;
    },

    async nextDue(channel) {
      const row = database.get(
        'SELECT due_ms FROM deliveries WHERE channel = ? AND due_ms IS NOT NULL ORDER BY due_ms LIMIT 1',
        channel,
      );
      return row ? Number(row.due_ms) : null;
    },

    async releaseClaims(owner) {
      const [released] = await database.write([
        {
          sql: `UPDATE deliveries SET state = 'pending', owner = NULL, due_ms = ?
                WHERE state = 'claimed' AND state <> 'sent' AND owner <> ?`,
          params: [now(), owner],
        },
      ]);
      tell();
      return released?.changes ?? 0;
    },

    async get(id) {
      return read(id);
    },

    async list({ state, limit, nextToken }) {
      const [eventId = '', channel = ''] = pagePosition('deliveries', nextToken, `${NEWEST}.`).split('.');
      const where =
        state === undefined ? '' : `AND state = '${state}' ${state === 'sent' ? '' : "AND state <> 'sent'"}`;
      const rows = database.all(
        `SELECT * FROM deliveries WHERE (event_id, channel) < (?, ?) ${where} ORDER BY event_id DESC, channel DESC LIMIT ?`,
        eventId,
        channel,
        limit + 1,
      );
      return toPage(rows.map(toDelivery), limit, (last) => pageToken('deliveries', last.delivery_id));
    },

    async replay(id) {
      const parts = partsOfDeliveryId(id);
      try {
        await database.write([
          {
            sql: `UPDATE deliveries SET state = 'pending', failures = 0, due_ms = ?, updated_ms = ?
                  WHERE event_id = ? AND channel = ? AND state IN ('failed', 'dead')`,
            params: [now(), now(), parts?.eventId ?? '', parts?.channel ?? ''],
            expect: 'changed',
          },
        ]);
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        const present = read(id);
        if (!present) throw new BgAgentError('DELIVERY_NOT_FOUND', `no delivery ${id.slice(0, 100)}`);
        throw new BgAgentError('DELIVERY_NOT_REPLAYABLE', `delivery ${id} is ${present.state}`);
      }
      tell();
      const replayed = read(id);
      if (!replayed) throw new BgAgentError('DELIVERY_NOT_FOUND', `no delivery ${id}`);
      return replayed;
    },

    subscribe(onDue) {
      const listener = (): void => onDue();
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function outcomeOf(result: DeliveryResult): { state: DeliveryState; failure: number; due: number | null } {
  if (result.kind === 'retry')
    return { state: 'pending', failure: result.countsAsFailure ? 1 : 0, due: result.dueAtMs };
  return { state: result.kind, failure: result.kind === 'sent' ? 0 : 1, due: null };
}

const toDelivery = ({
  event_id,
  channel,
  due_ms,
  created_ms,
  updated_ms,
  owner: _,
  event,
  ...row
}: Row): Delivery =>
  deliverySchema.parse({
    ...row,
    channel,
    delivery_id: deliveryId(String(event_id), String(channel)),
    event: JSON.parse(String(event)),
    due_at_ms: due_ms,
    created_at_ms: created_ms,
    updated_at_ms: updated_ms,
  });
