import { describe, expect, it } from 'vitest';
import { anOutcome } from '../../test/fixtures/outcome.ts';
import { aTask } from '../../test/fixtures/task.ts';
import { type Decision, decide, freshCounters, type Observation, queuePollSeconds } from './decisions.ts';

const START = Date.parse('2030-01-01T00:00:00.000Z');
const seconds = (n: number): number => START + n * 1_000;
const running = aTask({ status: 'RUNNING', started_at: new Date(START).toISOString(), deadline_s: 3_600 });

const seen = (fields: Partial<Observation> = {}): Observation => ({
  task: running,
  attempt: 1,
  outcome: undefined,
  session: { kind: 'running' },
  capabilities: { reportsExit: true, startAllowanceMs: 0, maxSessions: 4 },
  counters: freshCounters,
  listeningSinceMs: START,
  now: seconds(60),
  limits: {
    heartbeatGraceMs: 120_000,
    heartbeatStaleMs: 240_000,
    safetyPollMs: 300_000,
    deadlineMarginMs: 60_000,
    attempts: 3,
  },
  ...fields,
});
const beat = (at: number) => ({ ...running, last_heartbeat_at: new Date(seconds(at)).toISOString() });
const takenAway: Partial<Observation> = {
  session: { kind: 'interrupted', reason: 'AWS takes it back' },
  capabilities: { reportsExit: false, startAllowanceMs: 0, maxSessions: null, interruptible: true },
};
const toldToEnd = { ...takenAway, outcome: anOutcome({ result: 'cancelled' }) };
const asked = { ...running, cancel_requested_at: new Date(seconds(50)).toISOString() };

const table: [string, Partial<Observation>, Partial<Decision>][] = [
  ['a running session: waits until its heartbeat would be lost', {}, { kind: 'wait', ms: 180_000 }],
  [
    'never looks less often than the safety poll',
    { task: beat(1_000), now: seconds(1_000), limits: { ...seen().limits, heartbeatStaleMs: 9e6 } },
    { kind: 'wait', ms: 300_000 },
  ],
  ['a reported outcome is concluded', { outcome: anOutcome() }, { kind: 'conclude' }],
  ['an outcome beats a cancel that came later', { outcome: anOutcome(), task: asked }, { kind: 'conclude' }],
  [
    'an outcome beats a session that is gone (O4)',
    { outcome: anOutcome(), session: { kind: 'missing' } },
    { kind: 'conclude' },
  ],
  [
    'a place that was taken away is left for another (E13)',
    takenAway,
    { kind: 'restart', reason: 'AWS takes it back' },
  ],
  ['what its runner pushed is gone on from', toldToEnd, { kind: 'restart' }],
  [
    'a runner that was told to end by somebody else: the backend is asked',
    { ...toldToEnd, session: { kind: 'running' } },
    { kind: 'wait', ms: 1_000 },
  ],
  [
    'but not for ever',
    {
      ...toldToEnd,
      session: { kind: 'running' },
      counters: { describeErrors: 0, endedWithoutOutcome: 30 },
    },
    { kind: 'conclude' },
  ],
  [
    'a place that was not taken away ends the task',
    { ...toldToEnd, session: { kind: 'exited', exitCode: 0, reason: 'exit code 0' } },
    { kind: 'conclude' },
  ],
  [
    'the last attempt ends with its place',
    { ...toldToEnd, task: { ...running, attempt: 3 }, attempt: 3 },
    { kind: 'conclude' },
  ],
  ['a cancel is no interruption', { ...toldToEnd, task: asked }, { kind: 'conclude' }],
  [
    'a success stands, whatever became of its place',
    { ...takenAway, outcome: anOutcome() },
    { kind: 'conclude' },
  ],
  ['a cancel stops it (O6)', { task: asked }, { kind: 'stop', reason: 'cancelled' }],
  ['the deadline is the runner’s first', { now: seconds(3_600), task: beat(3_590) }, { kind: 'wait' }],
  [
    'past the deadline and its margin it is stopped',
    { now: seconds(3_660), task: beat(3_650) },
    { kind: 'stop', reason: 'timed_out' },
  ],
  ['silence within the grace after the start is fine', { now: seconds(119) }, { kind: 'wait' }],
  [
    'a stale heartbeat is a lost session (O4)',
    { now: seconds(400), task: beat(100) },
    { kind: 'stop', reason: 'lost' },
  ],
  ['a fresh heartbeat is none', { now: seconds(400), task: beat(200) }, { kind: 'wait', ms: 40_000 }],
  [
    'nobody could report while the platform was down',
    { now: seconds(1_000), task: beat(100), listeningSinceMs: seconds(950) },
    { kind: 'wait' },
  ],
  [
    'one failed describe is no verdict (O5)',
    { session: { kind: 'unknown', message: 'throttled' } },
    { kind: 'wait', counters: { describeErrors: 1, endedWithoutOutcome: 0 } },
  ],
  [
    'three in a row are (O5)',
    {
      session: { kind: 'unknown', message: 'throttled' },
      counters: { describeErrors: 2, endedWithoutOutcome: 0 },
    },
    { kind: 'fail', code: 'COMPUTE_UNAVAILABLE' },
  ],
  [
    'an answer clears the count',
    { counters: { describeErrors: 2, endedWithoutOutcome: 0 } },
    { kind: 'wait', counters: freshCounters },
  ],
  [
    'exit 0 without a report: the report may be on its way (O5)',
    {
      session: { kind: 'exited', exitCode: 0, reason: 'exit code 0' },
      counters: { describeErrors: 0, endedWithoutOutcome: 3 },
    },
    { kind: 'wait' },
  ],
  [
    'five times is enough (O5)',
    {
      session: { kind: 'exited', exitCode: 0, reason: 'exit code 0' },
      counters: { describeErrors: 0, endedWithoutOutcome: 4 },
    },
    { kind: 'fail', code: 'SESSION_EXITED' },
  ],
  [
    'a crash is looked at once more',
    { session: { kind: 'exited', exitCode: 137, reason: 'killed' } },
    { kind: 'wait', ms: 1_000 },
  ],
  [
    'and then believed',
    {
      session: { kind: 'exited', exitCode: 137, reason: 'killed' },
      counters: { describeErrors: 0, endedWithoutOutcome: 1 },
    },
    { kind: 'fail', code: 'SESSION_EXITED' },
  ],
  ['another attempt’s task is left alone', { attempt: 2 }, { kind: 'leave' }],
  ['an ended task is left alone', { task: { ...running, status: 'FAILED' } }, { kind: 'leave' }],
];

describe('decide', () => {
  it.each(table)('%s', (_name, fields, decision) => {
    expect(decide(seen(fields))).toMatchObject(decision);
  });
});

it('a queued task looks less and less often, at least hourly', () => {
  expect([1, 2, 3, 4, 5, 6].map(queuePollSeconds)).toEqual([300, 600, 1_200, 2_400, 3_600, 3_600]);
});
