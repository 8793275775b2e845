import { type Delivery, deliverySchema } from '../delivery-store.ts';
import { expiryOfPart, ofTask, type StoreParts, stateKey } from './parts.ts';
import { shardOf } from './shards.ts';
import { fromItem, type Item, text, textOf, toItem } from './values.ts';

/** A delivery with who has claimed it. */
export interface StoredDelivery {
  delivery: Delivery;
  owner: string | null;
}

export const deliveryKey = (id: string): Item => stateKey(`delivery#${id}`);
export const stateGroup = (state: string, shard: number): string => `deliveries#${state}#${shard}`;
export const dueGroup = (channel: string): string => `due#${channel}`;

/** A time as a text that sorts as the time does, with the id, so that those of one moment have an order, too. */
const duePlace = (ms: number, id: string): string =>
  `${String(Math.max(0, Math.floor(ms))).padStart(DIGITS, '0')} ${id}`;
const DIGITS = 15;
export const timeOfPlace = (place: string): number => Number(place.slice(0, DIGITS));

export function toDeliveryItem(
  { delivery, owner }: StoredDelivery,
  kept: Pick<StoreParts, 'now' | 'retentionMs'>,
): Item {
  const { delivery_id: id, task_id, channel, state, due_at_ms } = delivery;
  return {
    ...deliveryKey(id),
    ...toItem(delivery),
    ...toItem({ owner }),
    ...ofTask(task_id, id),
    _state: text(stateGroup(state, shardOf('deliveries', id))),
    ...(due_at_ms !== null && { _channel: text(dueGroup(channel)), _due: text(duePlace(due_at_ms, id)) }),
    ...expiryOfPart(kept),
  };
}

export const fromDeliveryItem = (item: Item): StoredDelivery => ({
  delivery: fromItem(deliverySchema, item),
  owner: textOf(item, 'owner') ?? null,
});
