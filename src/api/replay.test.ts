import { describe, expect, it } from 'vitest';
import { aTask } from '../../test/fixtures/task.ts';
import type { EventStore } from '../stores/event-store.ts';
import type { TaskEvent } from '../task/events.ts';
import { replayOf } from './replay.ts';
import { toDetail } from './task-detail.ts';

const history = (count: number, text = ''): TaskEvent[] =>
  Array.from({ length: count }, (_, index) => ({
    event_id: String(index).padStart(8, '0'),
    task_id: 't',
    event_type: 'agent_milestone',
    timestamp: '2030-01-01T00:00:00.000Z',
    metadata: { milestone: 'm', preview: text },
    user_id: 'user-1',
    repo: 'octo/hello',
  }));

const storeOf = (all: TaskEvent[]): { events: Pick<EventStore, 'list'> } => ({
  events: {
    async list(_, { after = '', limit }) {
      const rest = all.filter(({ event_id }) => event_id > after);
      const items = rest.slice(0, limit);
      return { items, nextToken: rest.length > limit ? (items.at(-1)?.event_id ?? null) : null };
    },
  },
});

const detail = await toDetail(
  {
    stores: {
      tasks: {
        queuePosition: async () => 0,
        ownQueuePosition: async () => 0,
        list: async () => ({ items: [], nextToken: null }),
      },
    },
    settings: { max_active_per_user: 1, max_active_system: 1 },
    computes: [],
  },
  aTask(),
);

describe('a replay bundle', () => {
  it('has the task and all of its history', async () => {
    const all = history(1_200);
    const bundle = await replayOf(storeOf(all), detail);
    expect(bundle.task).toEqual(detail);
    expect(bundle.events.map(({ event_id }) => event_id)).toEqual(all.map(({ event_id }) => event_id));
    expect(bundle.events_truncation).toBeNull();
    expect((await replayOf(storeOf(history(5_000)), detail)).events_truncation).toBeNull();
  });

  it('is cut at 5,000 events, and says from where to go on', async () => {
    const { events, events_truncation } = await replayOf(storeOf(history(5_001)), detail);
    expect(events).toHaveLength(5_000);
    expect(events_truncation).toEqual({ reason: 'count', returned: 5_000, last_event_id: '00004999' });
  });

  it('is cut at 5 MiB of bytes, not of characters', async () => {
    const bundle = await replayOf(storeOf(history(2_000, 'ä'.repeat(2_000))), detail);
    expect(bundle.events_truncation).toMatchObject({ reason: 'size', returned: bundle.events.length });
    const bytes = Buffer.byteLength(JSON.stringify({ data: bundle }));
    expect(bytes).toBeLessThanOrEqual(5 * 1024 * 1024);
    expect(bytes).toBeGreaterThan(5 * 1024 * 1024 - 10_000);
  });
});
