import { describe, expect, it } from 'vitest';
import { EVENTS } from './events.ts';
import {
  ACTIVE_STATUSES,
  isLegalMove,
  isTerminal,
  TASK_STATUSES,
  TERMINAL_EVENT,
  TERMINAL_STATUSES,
  TRANSITIONS,
} from './status.ts';

/** The moves as the requirements write them (T1). */
const MOVES = `
  PENDING_UPLOADS→SUBMITTED|FAILED|CANCELLED
  SUBMITTED→QUEUED|HYDRATING|FAILED|CANCELLED
  QUEUED→SUBMITTED|FAILED|CANCELLED
  HYDRATING→RUNNING|AWAITING_APPROVAL|FAILED|CANCELLED
  RUNNING→AWAITING_APPROVAL|FINALIZING|FAILED|CANCELLED|TIMED_OUT
  AWAITING_APPROVAL→RUNNING|FAILED|CANCELLED|TIMED_OUT
  FINALIZING→COMPLETED|FAILED|CANCELLED|TIMED_OUT`;

describe('the states of a task', () => {
  it('move as the requirements say, and in no other way (T1)', () => {
    const legal = MOVES.trim()
      .split(/\s+/)
      .flatMap((line) => {
        const [from = '', to = ''] = line.split('→');
        return to.split('|').map((status) => `${from} ${status}`);
      });
    const found = TASK_STATUSES.flatMap((from) =>
      TASK_STATUSES.filter((to) => isLegalMove(from, to)).map((to) => `${from} ${to}`),
    );
    expect(found.sort()).toEqual(legal.sort());
  });

  it('end in four ways, each with an event of its own (T2)', () => {
    expect(TASK_STATUSES.filter(isTerminal)).toEqual([...TERMINAL_STATUSES]);
    expect(TERMINAL_STATUSES.map((status) => TERMINAL_EVENT[status])).toEqual(
      TERMINAL_STATUSES.map((status) => `task_${status.toLowerCase()}`),
    );
    for (const type of Object.values(TERMINAL_EVENT)) expect(EVENTS).toHaveProperty(type);
  });

  it('can all be reached, and can all come to an end', () => {
    const reach = (start: readonly string[], next: (status: string) => readonly string[]): Set<string> => {
      const reached = new Set(start);
      for (const status of reached) for (const to of next(status)) reached.add(to);
      return reached;
    };
    const forwards: Readonly<Record<string, readonly string[]>> = TRANSITIONS;
    const backwards = (to: string) => TASK_STATUSES.filter((from) => forwards[from]?.includes(to));
    expect(reach(['PENDING_UPLOADS'], (status) => forwards[status] ?? []).size).toBe(TASK_STATUSES.length);
    expect(reach(TERMINAL_STATUSES, backwards).size).toBe(TASK_STATUSES.length);
  });

  it('hold a slot from HYDRATING on: there is no other way in, and none back', () => {
    const isActive = (status: string): boolean => ACTIVE_STATUSES.some((active) => active === status);
    for (const from of TASK_STATUSES)
      for (const to of TRANSITIONS[from]) {
        if (isActive(to) && !isActive(from)) expect(to, `${from} to ${to}`).toBe('HYDRATING');
        if (isActive(from) && !isActive(to)) expect(isTerminal(to), `${from} to ${to}`).toBe(true);
      }
  });
});
