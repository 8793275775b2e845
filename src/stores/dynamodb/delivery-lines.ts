import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { BgAgentError } from '../../task/errors.ts';
import { ConditionFailed, type Dynamo } from './dynamo.ts';
import { createExpression } from './expression.ts';
import { expiryOfPart, ofTask, type StoreParts, stateKey } from './parts.ts';
import { number, numberOf, texts, textsOf } from './values.ts';

/**
 * The line of a task's open deliveries to a channel, as the set of their events: whoever settles the first one sees who is next. Each
 * change is on the condition that the line is as it was read.
 */
export interface Line {
  taskId: string;
  channel: string;
}

const TRIES = 100;

const lineKey = ({ taskId, channel }: Line) => stateKey(`line#${taskId}#${channel}`);

/**
 * Reads the line, asks what to write, and writes it with the line in one transaction; again from the start when something moved.
 * `decide` returns null when there is nothing to write.
 */
export async function changeLine(
  parts: StoreParts,
  line: Line,
  decide: (open: string[]) => Promise<{ open: string[]; writes: TransactWriteItem[] } | null>,
): Promise<boolean> {
  const { dynamo } = parts;
  for (let tries = 1; tries <= TRIES; tries += 1) {
    const item = await dynamo.get('state', lineKey(line));
    const version = numberOf(item, 'version') ?? 0;
    const change = await decide(textsOf(item, 'open').sort());
    if (!change) return false;
    try {
      await dynamo.transact([lineWrite(dynamo, parts, line, version, change.open), ...change.writes]);
      return true;
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error;
      await dynamo.pause(Math.min(tries, 3));
    }
  }
  throw new BgAgentError('SERVICE_UNAVAILABLE', 'deliveries of a task are changed by too many at once');
}

function lineWrite(
  { names }: Dynamo,
  kept: StoreParts,
  line: Line,
  version: number,
  open: readonly string[],
): TransactWriteItem {
  const { name, value, parts } = createExpression();
  const same = version === 0 ? 'attribute_not_exists(pk)' : `${name('version')} = ${value(number(version))}`;
  return {
    Put: {
      TableName: names.state,
      Item: {
        ...lineKey(line),
        version: number(version + 1),
        ...(open.length > 0 && { open: texts(...open) }),
        ...ofTask(line.taskId, `line#${line.channel}`),
        ...expiryOfPart(kept),
      },
      ConditionExpression: same,
      ...parts(),
    },
  };
}
