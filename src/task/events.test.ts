import { describe, expect, it } from 'vitest';
import { EVENTS, isEventType, RUNNER_EVENT_TYPES } from './events.ts';
import { TERMINAL_EVENT } from './status.ts';

describe('the catalogue of events', () => {
  it('says who emits each event and what it means', () => {
    for (const [type, { summary }] of Object.entries(EVENTS)) {
      expect(type).toMatch(/^(reconciler\.)?[a-z]+(_[a-z]+)*$/);
      expect(summary, type).toMatch(/^[A-Z].*\.$/);
    }
  });

  it('lets a runner speak for itself and its agent only: never of an end, an outcome or another’s work', () => {
    for (const type of RUNNER_EVENT_TYPES) expect(['runner', 'agent']).toContain(EVENTS[type].emitter);
    for (const type of [
      ...Object.values(TERMINAL_EVENT),
      'outcome_reported',
      'pr_created',
      'task_created',
    ] as const)
      expect(RUNNER_EVENT_TYPES).not.toContain(type);
    expect(RUNNER_EVENT_TYPES).toContain('agent_cost_update');
  });

  it('refuses metadata that an event does not have', () => {
    expect(
      EVENTS.phase_completed.metadata.safeParse({ phase: 'clone', duration_ms: 5, ok: true }).success,
    ).toBe(true);
    expect(
      EVENTS.phase_completed.metadata.safeParse({ phase: 'lunch', duration_ms: 5, ok: true }).success,
    ).toBe(false);
    expect(EVENTS.phase_completed.metadata.safeParse({ phase: 'clone' }).success).toBe(false);
  });

  it('knows its own types only', () => {
    expect(isEventType('task_created')).toBe(true);
    expect(isEventType('hasOwnProperty')).toBe(false);
  });
});
