import { describe, expect, it } from 'vitest';
import { aRepo } from '../../test/fixtures/repo.ts';
import { aTask } from '../../test/fixtures/task.ts';
import type { TaskEvent } from '../task/events.ts';
import type { Notifications } from '../task/notifications.ts';
import { pauseMs } from './backoff.ts';
import { route } from './routing.ts';

const channel = {
  name: 'slack',
  renders: ['task_created', 'pr_created', 'task_failed'],
  defaults: ['task_created', 'task_failed'],
  wants: () => true,
};

const anEvent = (event_type: string, metadata: Record<string, unknown> = {}): TaskEvent => ({
  event_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  task_id: 't',
  event_type,
  timestamp: '',
  metadata,
  user_id: 'u',
  repo: 'octo/hello',
});

const told = (
  type: string,
  said: { task?: Notifications; repo?: Record<string, unknown> } = {},
  metadata: Record<string, unknown> = {},
): { types: string[]; problems: string[] } => {
  const { deliveries, problems } = route(
    anEvent(type, metadata),
    { task: aTask({ notifications: said.task ?? null }), repo: aRepo({ notifications: said.repo ?? null }) },
    [channel],
  );
  return { types: deliveries.map((row) => row.type), problems: problems.map(({ kind }) => kind) };
};

describe('routing', () => {
  it.each<[string, Parameters<typeof told>[1], string[]]>([
    ['task_created', {}, ['task_created']],
    ['pr_created', {}, []],
    ['agent_turn', {}, []],
    ['task_created', { repo: { slack: { enabled: false } } }, []],
    [
      'task_created',
      { repo: { slack: { enabled: false } }, task: { slack: { enabled: true } } },
      ['task_created'],
    ],
    ['task_created', { task: { slack: { enabled: false } } }, []],
    ['task_created', { task: { email: { enabled: false } } }, ['task_created']],
    ['pr_created', { repo: { slack: { events: ['default', 'pr_created'] } } }, ['pr_created']],
    ['task_created', { repo: { slack: { events: ['default', 'pr_created'] } } }, ['task_created']],
    ['task_created', { repo: { slack: { events: ['pr_created'] } } }, []],
    [
      'task_created',
      { repo: { slack: { events: ['pr_created'] } }, task: { slack: { events: ['default'] } } },
      ['task_created'],
    ],
  ])('of %s with %j', (type, said, types) => {
    expect(told(type, said).types).toEqual(types);
  });

  it('is muted by an empty list, with a warning', () => {
    expect(told('task_failed', { repo: { slack: { events: [] } } })).toEqual({
      types: [],
      problems: ['muted'],
    });
  });

  it('warns of events that the channel has no message for, and goes on', () => {
    expect(told('task_failed', { repo: { slack: { events: ['default', 'agent_turn'] } } })).toEqual({
      types: ['task_failed'],
      problems: ['unknown_event'],
    });
  });

  it.each([
    { email: { to: 'a@example.com' } },
    { slack: { channel: '#general' } },
    { slack: 'off' },
    { slack: { enabled: 'no' } },
    { slack: { events: 'all' } },
    { slack: null },
  ])('falls back to the defaults when the repository says %j', (repo) => {
    expect(told('task_failed', { repo })).toEqual({ types: ['task_failed'], problems: ['invalid'] });
  });

  it('lets a task decide what is told, never where to', () => {
    const seen: unknown[] = [];
    route(
      anEvent('task_failed'),
      {
        task: aTask({
          notifications: { slack: { enabled: true, channel: 'T1/C1', to: ['x@example.com'] } },
        }),
        repo: aRepo({ notifications: { slack: { channel: 'T1/C2' } } }),
      },
      [{ ...channel, wants: (_, overrides) => seen.push(overrides) > 0 }],
    );
    expect(seen).toEqual([{ channel: 'T1/C2', enabled: true }]);
  });

  it('unwraps a milestone where it can be rendered (F5)', () => {
    expect(
      told('agent_milestone', { repo: { slack: { events: ['pr_created'] } } }, { milestone: 'pr_created' })
        .types,
    ).toEqual(['pr_created']);
    expect(told('agent_milestone', {}, { milestone: 'lunch' }).types).toEqual([]);
    expect(told('agent_milestone', {}, {}).types).toEqual([]);
  });
});

describe('the pause before another attempt', () => {
  const backoff = { baseMs: 100, capMs: 1_000 };
  it.each([
    [0, 0, undefined, 50],
    [0, 1, undefined, 100],
    [2, 0.5, undefined, 300],
    [50, 1, undefined, 1_000],
    [0, 0, 3, 3_000],
    [9, 1, 3, 3_100],
  ])('after %i failures (random %d, told %s s) is %i ms', (failures, random, retryAfterSeconds, ms) => {
    expect(pauseMs(backoff, { failures, retryAfterSeconds, random: () => random })).toBe(ms);
  });
});
