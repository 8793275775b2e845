import { type MessageStore, type PostedMessage, postedMessageSchema, type Slot } from '../message-store.ts';
import { succeeds } from './dynamo.ts';
import { createExpression } from './expression.ts';
import { expiryOfPart, ofTask, type StoreParts, stateKey } from './parts.ts';
import { fromItem, number, text, toItem } from './values.ts';

const partition = (taskId: string, channel: string): string => `messages#${taskId}#${channel}`;
const keyOf = ({ taskId, channel, slot }: Slot) => stateKey(partition(taskId, channel), slot);

export function createMessageStore(parts: StoreParts): MessageStore {
  const { dynamo } = parts;

  /** The message that the slot has now. */
  async function read(slot: Slot): Promise<PostedMessage | undefined> {
    const item = await dynamo.get('state', keyOf(slot));
    return item && fromItem(postedMessageSchema, item);
  }

  /** Takes a free slot; undefined when it isn't free. */
  async function take(
    slot: Slot,
    eventId: string,
    attemptedAtMs: number,
  ): Promise<PostedMessage | undefined> {
    const message: PostedMessage = {
      task_id: slot.taskId,
      channel: slot.channel,
      slot: slot.slot,
      event_id: eventId,
      attempted_at_ms: attemptedAtMs,
      ref: null,
      deleted: false,
    };
    const Item = {
      ...keyOf(slot),
      ...toItem(message),
      ...ofTask(slot.taskId, `message#${slot.channel}#${slot.slot}`),
      ...expiryOfPart(parts),
    };
    const put = dynamo.put('state', { Item, ConditionExpression: 'attribute_not_exists(pk)' });
    return (await succeeds(put)) ? message : undefined;
  }

  /** Notes an attempt in the event's own slot where none is noted. */
  async function noteAttempt(slot: Slot, eventId: string, attemptedAtMs: number): Promise<void> {
    const { name, value, parts: places } = createExpression();
    const [owner, attempted] = [name('event_id'), name('attempted_at_ms')];
    const UpdateExpression = `SET ${attempted} = ${value(number(attemptedAtMs))}`;
    const ConditionExpression = `${owner} = ${value(text(eventId))} AND attribute_type(${attempted}, ${value(text('NULL'))})`;
    await succeeds(
      dynamo.update('state', keyOf(slot), { UpdateExpression, ConditionExpression, ...places() }),
    );
  }

  return {
    async list(taskId, channel) {
      const items = await dynamo.query({ table: 'state', partition: partition(taskId, channel) });
      return items.map((item) => fromItem(postedMessageSchema, item));
    },

    async claim(slot, eventId, attemptedAtMs) {
      for (;;) {
        const taken = await take(slot, eventId, attemptedAtMs);
        if (taken) return taken;
        await noteAttempt(slot, eventId, attemptedAtMs);
        const present = await read(slot);
        // Released between the two looks: it's free.
        if (present) return present;
      }
    },

    async update(slot, eventId, change) {
      const { name, value, parts: places } = createExpression();
      const fields = Object.entries(toItem(change));
      if (fields.length === 0) return true;
      const sets = fields.map(([field, attribute]) => `${name(field)} = ${value(attribute)}`);
      const ConditionExpression = `${name('event_id')} = ${value(text(eventId))}`;
      const UpdateExpression = `SET ${sets.join(', ')}`;
      return succeeds(
        dynamo.update('state', keyOf(slot), { UpdateExpression, ConditionExpression, ...places() }),
      );
    },

    async release(slot, eventId) {
      const { name, value, parts: places } = createExpression();
      const empty = `attribute_type(${name('ref')}, ${value(text('NULL'))})`;
      const ConditionExpression = `${name('event_id')} = ${value(text(eventId))} AND ${empty}`;
      // Not this event's, or one that holds a message: it stays.
      await succeeds(dynamo.remove('state', keyOf(slot), { ConditionExpression, ...places() }));
    },
  };
}
