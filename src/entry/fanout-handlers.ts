import { randomUUID } from 'node:crypto';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { z } from 'zod';
import {
  dispatchRecords,
  dispatchRetries,
  type RetryMessage,
  type RetryQueue,
  type StreamDeps,
  type StreamRecord,
} from '../events/stream.ts';
import { fromItem, type Item } from '../stores/dynamodb/values.ts';
import { messageOf } from '../task/errors.ts';
import { taskEventSchema } from '../task/events.ts';

/** The two functions of the fan-out on AWS: one reads the stream of the events table, one the queue of what is to be tried again. */

/** What Lambda wants back: these must come again. Both event sources need `ReportBatchItemFailures`. */
export interface BatchAnswer {
  batchItemFailures: { itemIdentifier: string }[];
}

/** What is left of the invocation, from Lambda's context. */
export interface Invocation {
  getRemainingTimeInMillis(): number;
}

export type FanoutOptions = Omit<StreamDeps, 'owner' | 'untilMs'> & {
  /** Kept back of an invocation's time for the attempts under way, in milliseconds. Default: 10,000. */
  reserveMs?: number;
};

const streamEventSchema = z.object({
  Records: z.array(
    z.object({
      eventName: z.enum(['INSERT', 'MODIFY', 'REMOVE']),
      dynamodb: z.object({
        SequenceNumber: z.string(),
        NewImage: z.custom<Item>((value) => typeof value === 'object' && value !== null).optional(),
      }),
    }),
  ),
});
const queueEventSchema = z.object({
  Records: z.array(z.object({ messageId: z.string(), body: z.string() })),
});
const retrySchema: z.ZodType<RetryMessage> = z.object({ channel: z.string() });

export function createFanoutHandlers({ reserveMs = 10_000, ...options }: FanoutOptions) {
  const depsOf = (invocation: Invocation): StreamDeps => ({
    ...options,
    owner: randomUUID(),
    untilMs: options.now() + invocation.getRemainingTimeInMillis() - reserveMs,
  });

  return {
    /** For the stream of the events table. The stream goes on from the lowest record that is named. */
    async stream(event: unknown, invocation: Invocation): Promise<BatchAnswer> {
      const records = streamEventSchema.parse(event).Records.flatMap(toRecord);
      const { infraRejections } = await dispatchRecords(depsOf(invocation), records);
      return {
        batchItemFailures: infraRejections.map(({ sequenceNumber }) => ({ itemIdentifier: sequenceNumber })),
      };
    },

    /** For the queue. A message that can't be read comes again until the queue gives it to its dead letters. */
    async retries(event: unknown, invocation: Invocation): Promise<BatchAnswer> {
      const failed: string[] = [];
      const read: { messageId: string; message: RetryMessage }[] = [];
      for (const { messageId, body } of queueEventSchema.parse(event).Records) {
        try {
          read.push({ messageId, message: retrySchema.parse(JSON.parse(body)) });
        } catch (error) {
          damaged('fanout.retry.damaged', messageId, error);
          failed.push(messageId);
        }
      }
      const again = await dispatchRetries(
        depsOf(invocation),
        read.map(({ message }) => message),
      );
      failed.push(...read.filter((_, index) => again.includes(index)).map(({ messageId }) => messageId));
      return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
    },
  };

  function toRecord({
    eventName,
    dynamodb: { SequenceNumber: sequenceNumber, NewImage },
  }: z.infer<typeof streamEventSchema>['Records'][number]): StreamRecord[] {
    if (eventName !== 'INSERT' || NewImage === undefined) return [];
    try {
      return [{ sequenceNumber, event: fromItem(taskEventSchema, NewImage) }];
    } catch (error) {
      // It would be as damaged the next time, and hold up all tasks of its shard for a day.
      damaged('fanout.record.damaged', sequenceNumber, error);
      return [];
    }
  }

  function damaged(event: string, id: string, error: unknown): void {
    options.log.error({ event, error_id: randomUUID(), id, error: messageOf(error) }, 'can’t be read');
  }
}

/** The retry queue on SQS. `queueUrl`: a standard queue with dead letters, for a FIFO queue takes no delay of a single message. */
export function createSqsRetryQueue(client: SQSClient, queueUrl: string): RetryQueue {
  return {
    async send(message, delaySeconds) {
      const { SendMessageCommand } = await import('@aws-sdk/client-sqs');
      await client.send(
        new SendMessageCommand({
          QueueUrl: queueUrl,
          MessageBody: JSON.stringify(message),
          DelaySeconds: delaySeconds,
        }),
      );
    },
  };
}
