import type { WakeupStore } from '../wakeup-store.ts';
import { createExpression } from './expression.ts';
import { expiryOfPart, type StoreParts, stateKey } from './parts.ts';
import { TTL_ATTRIBUTE } from './tables.ts';
import { type Item, text, textOf } from './values.ts';

export const wakeupKey = (taskId: string) => stateKey(`wakeup#${taskId}`);

export function createWakeupStore(parts: StoreParts): WakeupStore {
  const { dynamo } = parts;

  /** The item afterwards: whoever comes second sees what the first one left. */
  function set(taskId: string, fields: Item): Promise<Item> {
    const { name, value, parts: places } = createExpression();
    const sets = Object.entries({ ...fields, [TTL_ATTRIBUTE]: expiryOfPart(parts)[TTL_ATTRIBUTE] }).flatMap(
      ([field, attribute]) => (attribute ? [`${name(field)} = ${value(attribute)}`] : []),
    );
    return dynamo.update('state', wakeupKey(taskId), {
      UpdateExpression: `SET ${sets.join(', ')}`,
      ...places(),
    });
  }
  const remove = async (taskId: string): Promise<void> => {
    await dynamo.remove('state', wakeupKey(taskId));
  };

  return {
    async park(taskId, callbackId) {
      const item = await set(taskId, { callback_id: text(callbackId) });
      return { pending: item.signalled?.BOOL === true };
    },
    take: remove,
    async signal(taskId) {
      return textOf(await set(taskId, { signalled: { BOOL: true } }), 'callback_id') ?? null;
    },
    forget: remove,
  };
}
