import { afterEach, beforeEach, describe, expect } from 'vitest';
import type { Channel, ChannelMessage } from '../../src/channels/channel.ts';
import { EVENTS, type EventType } from '../../src/task/events.ts';
import { createIdSource } from '../../src/task/ids.ts';
import type { Task } from '../../src/task/task.ts';
import { metadataOf } from '../fixtures/channel-events.ts';
import { type Skip, testsWithSkips } from './skips.ts';
import { newTaskId } from './stores.contract.ts';

/** What the channel's service does with the next message. */
export type Fault = 'refuse' | 'fail' | 'limit' | 'lose-answer';

/** A channel and the service behind it. */
export interface ChannelHarness {
  channel: Channel;
  /** A task whose people are told here. */
  task(taskId: string): Task;
  /** Texts that people see of this task, in order; each message once. */
  visible(taskId: string): Promise<string[]>;
  /** The service treats the next messages so, each once. */
  fault(...faults: Fault[]): void;
  close(): Promise<void>;
}

const newEventId = createIdSource(() => Date.parse('2029-12-31T00:00:00.000Z'));

/** What every way of telling people does (F2, F3, F5). */
export function channelContract({
  name,
  create,
  skip = [],
}: {
  name: string;
  create(): Promise<ChannelHarness>;
  skip?: readonly Skip[];
}): void {
  describe(`channel: ${name}`, () => {
    const it = testsWithSkips(skip);
    let harness: ChannelHarness;
    beforeEach(async () => {
      harness = await create();
    });
    afterEach(() => harness.close());

    const message = (type: string, task = harness.task(newTaskId())): ChannelMessage => ({
      event: {
        event_id: newEventId(),
        task_id: task.task_id,
        event_type: type,
        timestamp: '2030-01-01T00:00:00.000Z',
        metadata: metadataOf(type as EventType),
        user_id: task.user_id,
        repo: task.repo,
      },
      type,
      task,
      overrides: {},
    });

    it('has defaults that it can render, and renders events that exist', () => {
      const { renders, defaults } = harness.channel;
      expect(defaults.filter((type) => !renders.includes(type))).toEqual([]);
      expect(renders.filter((type) => !(type in EVENTS))).toEqual([]);
    });

    it('makes one message of each event that it renders', async () => {
      for (const type of harness.channel.renders) {
        const sent = message(type);
        expect(await harness.channel.deliver(sent), type).toMatchObject({ kind: 'sent' });
        const texts = await harness.visible(sent.task.task_id);
        expect(texts, type).toHaveLength(1);
        expect(texts.join(), type).not.toMatch(/undefined|\[object|NaN/);
      }
    });

    it('makes one message however often it is called', async () => {
      const sent = message('task_completed');
      for (let n = 0; n < 3; n++) await harness.channel.deliver(sent);
      expect(await harness.visible(sent.task.task_id)).toHaveLength(1);
    });

    it('makes one message of an end that is told twice', async () => {
      const task = harness.task(newTaskId());
      await harness.channel.deliver(message('task_failed', task));
      await harness.channel.deliver(message('task_failed', task));
      expect(await harness.visible(task.task_id)).toHaveLength(1);
    });

    it('tells what no retry helps from what one may', async () => {
      const sent = message('task_completed');
      harness.fault('fail', 'refuse');
      await expect(harness.channel.deliver(sent)).rejects.toMatchObject({ code: 'CHANNEL_UNAVAILABLE' });
      await expect(harness.channel.deliver(sent)).rejects.toMatchObject({ code: 'CHANNEL_REFUSED' });
      expect(await harness.visible(sent.task.task_id)).toEqual([]);
      await harness.channel.deliver(sent);
      expect(await harness.visible(sent.task.task_id)).toHaveLength(1);
    });

    it('passes on how long to wait', async () => {
      harness.fault('limit');
      await expect(harness.channel.deliver(message('task_completed'))).rejects.toMatchObject({
        code: 'CHANNEL_UNAVAILABLE',
        retryAfterSeconds: expect.any(Number),
      });
    });

    it('leaves the end of a task to the next event when one was refused', async () => {
      const task = harness.task(newTaskId());
      harness.fault('refuse');
      await expect(harness.channel.deliver(message('task_failed', task))).rejects.toMatchObject({
        code: 'CHANNEL_REFUSED',
      });
      await harness.channel.deliver(message('task_failed', task));
      expect(await harness.visible(task.task_id)).toHaveLength(1);
    });

    it('makes no second message when the answer to the first was lost', async () => {
      const sent = message('task_completed');
      harness.fault('lose-answer');
      await expect(harness.channel.deliver(sent)).rejects.toMatchObject({ code: 'CHANNEL_UNAVAILABLE' });
      await harness.channel.deliver(sent);
      expect(await harness.visible(sent.task.task_id)).toHaveLength(1);
    });
  });
}
