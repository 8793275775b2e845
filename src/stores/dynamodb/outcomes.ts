import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { outcomeReportSchema } from '../../task/protocol.ts';
import { isTerminal } from '../../task/status.ts';
import { checkTerminalEvents, whyNotCurrent } from '../moves.ts';
import type { OutcomeStore } from '../outcome-store.ts';
import type { Dynamo } from './dynamo.ts';
import { expiryOfPart, type StoreParts, stateKey } from './parts.ts';
import { changeTask, withEvents } from './task-writes.ts';
import type { Item } from './values.ts';

/** Bytes in one item, which may have 400 KB in all. A report with a diff of 1 MiB has at most four. */
const PART_BYTES = 350_000;

export const outcomePartition = (taskId: string, attempt: number): string => `outcome#${taskId}#${attempt}`;

export function createOutcomeStore(parts: StoreParts): OutcomeStore {
  const { dynamo, now } = parts;
  const { names } = dynamo;

  async function read(taskId: string, attempt: number) {
    const items = await dynamo.query({ table: 'state', partition: outcomePartition(taskId, attempt) });
    if (items.length === 0) return undefined;
    const packed = Buffer.concat(items.map((item) => item.packed?.B ?? new Uint8Array()));
    return outcomeReportSchema.parse(JSON.parse(brotliDecompressSync(packed).toString()));
  }

  return {
    async put(taskId, attempt, outcome, events = []) {
      checkTerminalEvents(null, events);
      const items = pack(outcome).map(
        (packed, n): Item => ({
          ...stateKey(outcomePartition(taskId, attempt), String(n)),
          packed: { B: packed },
          ...expiryOfPart(parts),
        }),
      );
      const also = items.map((Item) => ({
        Put: { TableName: names.state, Item, ConditionExpression: 'attribute_not_exists(pk)' },
      }));
      let first = false;
      if (await isThere(dynamo, taskId, attempt)) return { first };
      await changeTask(parts, taskId, async (before) => {
        first = false;
        if (await isThere(dynamo, taskId, attempt)) return null;
        const { task } = before;
        if (task.attempt !== attempt || isTerminal(task.status)) throw whyNotCurrent(task, taskId, attempt);
        first = true;
        return { ...withEvents(before, events, now), also };
      });
      return { first };
    },

    get: read,
  };
}

const isThere = async (dynamo: Dynamo, taskId: string, attempt: number): Promise<boolean> =>
  (await dynamo.get('state', stateKey(outcomePartition(taskId, attempt), '0'))) !== undefined;

function pack(outcome: object): Uint8Array[] {
  const packed = brotliCompressSync(JSON.stringify(outcome), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 4 },
  });
  const parts: Uint8Array[] = [];
  for (let at = 0; at < packed.length; at += PART_BYTES) parts.push(packed.subarray(at, at + PART_BYTES));
  return parts;
}
