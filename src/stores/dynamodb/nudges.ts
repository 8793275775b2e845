import { BgAgentError } from '../../task/errors.ts';
import { isTerminal } from '../../task/status.ts';
import { checkTerminalEvents } from '../moves.ts';
import { type NudgeRecord, type NudgeStore, nudgeRecordSchema } from '../nudge-store.ts';
import { succeeds } from './dynamo.ts';
import { createExpression } from './expression.ts';
import { expiryOfPart, ofTask, type StoreParts, stateKey } from './parts.ts';
import { changeTask, withEvents } from './task-writes.ts';
import { fromItem, text, textOf, toItem } from './values.ts';

const partition = (taskId: string): string => `nudges#${taskId}`;
const keyOf = (taskId: string, nudgeId: string) => stateKey(partition(taskId), nudgeId);
const idempotencyKey = (taskId: string, userId: string, key: string) =>
  stateKey(`nudge-key#${taskId}#${userId}`, key);

export function createNudgeStore(parts: StoreParts): NudgeStore {
  const { dynamo, now } = parts;
  const TableName = dynamo.names.state;

  /** The nudge that was made with the same key. */
  async function earlier({
    task_id,
    user_id,
    idempotency_key,
  }: NudgeRecord): Promise<NudgeRecord | undefined> {
    if (idempotency_key === null) return undefined;
    const used = await dynamo.get('state', idempotencyKey(task_id, user_id, idempotency_key));
    const id = textOf(used, 'nudge_id');
    const item = id === undefined ? undefined : await dynamo.get('state', keyOf(task_id, id));
    return item && fromItem(nudgeRecordSchema, item);
  }

  function writesOf(nudge: NudgeRecord) {
    const { task_id: taskId, nudge_id: id, idempotency_key: key } = nudge;
    const kept = expiryOfPart(parts);
    const items = [{ ...keyOf(taskId, id), ...toItem(nudge), ...ofTask(taskId, `nudge#${id}`), ...kept }];
    if (key !== null)
      items.push({
        ...idempotencyKey(taskId, nudge.user_id, key),
        nudge_id: text(id),
        ...ofTask(taskId, `nudge-key#${id}`),
        ...kept,
      });
    return items.map((Item) => ({
      Put: { TableName, Item, ConditionExpression: 'attribute_not_exists(pk)' },
    }));
  }

  return {
    async add(nudge, events) {
      checkTerminalEvents(null, events);
      let known: NudgeRecord | undefined;
      await changeTask(parts, nudge.task_id, async (before) => {
        known = await earlier(nudge);
        if (known) return null;
        const { task } = before;
        if (isTerminal(task.status))
          throw new BgAgentError('TASK_ALREADY_TERMINAL', `task ${task.task_id} has ended as ${task.status}`);
        return { ...withEvents(before, events, now), also: writesOf(nudge) };
      });
      return known ? { nudge: known, created: false } : { nudge, created: true };
    },

    async waiting(taskId, limit) {
      const items = await dynamo.query({ table: 'state', partition: partition(taskId) });
      return items
        .map((item) => fromItem(nudgeRecordSchema, item))
        .filter(({ settled_at }) => settled_at === null)
        .slice(0, limit);
    },

    async settle(taskId, nudgeIds, at) {
      await Promise.all(
        nudgeIds.map((id) => {
          const { name, value, parts: places } = createExpression();
          const settled = name('settled_at');
          return succeeds(
            dynamo.update('state', keyOf(taskId, id), {
              UpdateExpression: `SET ${settled} = ${value(text(at))}`,
              ConditionExpression: `attribute_type(${settled}, ${value(text('NULL'))})`,
              ...places(),
            }),
          );
        }),
      );
    },
  };
}
