import { setTimeout as delay } from 'node:timers/promises';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Settings } from '../config/settings.ts';
import { messageOf } from '../task/errors.ts';
import { parseJson } from '../task/json.ts';
import type { Log } from '../task/log.ts';
import { createSessionEventHandler, type SessionEventActions } from './session-events.ts';

export interface EventQueueOptions {
  client(): Promise<SQSClient>;
  /** Queue that a rule of EventBridge delivers to. */
  queueUrl: string;
  /** What it rejects stays in the queue and comes again. */
  handle(event: unknown): Promise<unknown>;
  log: Pick<Log, 'warn'>;
  /** Pause after a failure, in milliseconds. Default 5,000. */
  pauseMs?: number;
  /** How long a call waits for events, in seconds. Default 20, the most that SQS takes. */
  waitS?: number;
}

/** The queue that the settings name, if they do. */
export function openEventQueue({
  settings: { events_queue_url: queueUrl, aws_region, aws_endpoint_url },
  actions,
  log,
}: {
  settings: Settings;
  actions: SessionEventActions;
  log: Log;
}): { close(): Promise<void> } | undefined {
  if (queueUrl === null) return undefined;
  let client: SQSClient | undefined;
  return startEventQueue({
    async client() {
      const { SQSClient: Client } = await import('@aws-sdk/client-sqs');
      client ??= new Client({
        region: aws_region,
        ...(aws_endpoint_url === null ? {} : { endpoint: aws_endpoint_url }),
      });
      return client;
    },
    queueUrl,
    handle: createSessionEventHandler({ actions, log }),
    log,
  });
}

const BATCH = 10;

/** Events of AWS for a platform that nothing of AWS can call: reads them from a queue, as they come. */
export function startEventQueue(options: EventQueueOptions): { close(): Promise<void> } {
  const { queueUrl, handle, log, pauseMs = 5_000, waitS = 20 } = options;
  const closing = new AbortController();
  const { signal } = closing;

  async function receive(): Promise<void> {
    const { DeleteMessageCommand, ReceiveMessageCommand } = await import('@aws-sdk/client-sqs');
    const client = await options.client();
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        WaitTimeSeconds: waitS,
        MaxNumberOfMessages: BATCH,
      }),
      { abortSignal: signal },
    );
    for (const { Body = '', ReceiptHandle } of Messages) {
      await handle(parseJson(Body));
      await client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle }));
    }
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        await receive();
      } catch (error) {
        if (signal.aborted) return;
        log.warn(
          { event: 'entry.event_queue.failed', setting: 'events_queue_url', error: messageOf(error) },
          'events of AWS could not be read; sessions are looked at now and then all the same',
        );
        await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  const running = run();
  return {
    async close() {
      closing.abort();
      await running;
    },
  };
}
