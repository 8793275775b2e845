import { afterEach, expect, it, vi } from 'vitest';
import { createWorld, type World } from '../../test/fixtures/orchestrator.ts';
import { aTask } from '../../test/fixtures/task.ts';
import { decide, freshCounters, queuePollSeconds } from './decisions.ts';
import { PUBLISH_BACKOFF_SECONDS } from './workflow.ts';

/** An execution may have 3,000 operations; the worst case must stay below half of that (O9). */
const BUDGET = 1_500;
const HOUR_MS = 3_600_000;
const MOST_APPROVALS = 50;

let world: World;
afterEach(() => world.close());

async function operationsOf(taskId: string): Promise<number> {
  const events = await world.deps.runtime.history(`${taskId}-1`);
  return new Set(events.map((event) => event.Id)).size;
}

/** Wakes the task and waits until it sleeps again; returns what that cost. */
async function costOfWakeUp(taskId: string): Promise<number> {
  const before = await operationsOf(taskId);
  await world.deps.waker.wake(taskId);
  let settled = before;
  await vi.waitFor(
    async () => {
      const now = await operationsOf(taskId);
      if (now === before || now !== settled) {
        settled = now;
        throw new Error('still awake');
      }
    },
    { interval: 100 },
  );
  return settled - before;
}

it('stays far below the limit of operations in the worst case', async () => {
  world = await createWorld({ max_active_per_user: 1 });
  const first = await world.submit();
  await world.until(first, 'RUNNING');
  const second = await world.submit();
  await world.until(second, 'QUEUED');
  const perQueueLook = await costOfWakeUp(second);
  const perRunLook = await costOfWakeUp(first);
  await world.report(first);
  await world.until(second, 'RUNNING');
  await world.report(second);
  await world.until(second, 'COMPLETED');
  const base = await operationsOf(second);

  // A day in the queue, by the poll alone.
  let queueLooks = 0;
  for (let waitedMs = 0; waitedMs < 24 * HOUR_MS; waitedMs += queuePollSeconds(queueLooks) * 1_000)
    queueLooks += 1;

  // Eight hours of a session that beats every 30 s and is looked at only by the safety poll.
  const task = aTask({ status: 'RUNNING', started_at: new Date(0).toISOString(), deadline_s: 8 * 3_600 });
  let runLooks = 0;
  for (let now = 0; now < 8 * HOUR_MS; runLooks += 1) {
    const decision = decide({
      task: { ...task, last_heartbeat_at: new Date(now).toISOString() },
      attempt: 1,
      outcome: undefined,
      session: { kind: 'running' },
      capabilities: { reportsExit: true, startAllowanceMs: 0, maxSessions: null },
      counters: freshCounters,
      listeningSinceMs: 0,
      now,
      limits: {
        heartbeatGraceMs: 120_000,
        heartbeatStaleMs: 240_000,
        safetyPollMs: 300_000,
        deadlineMarginMs: 60_000,
        attempts: 3,
      },
    });
    if (decision.kind !== 'wait') throw new Error(`a healthy session led to ${decision.kind}`);
    now += decision.ms;
  }

  // A forge that is away until the last try, and somebody who wakes the task twice in each pause: a step, when the pause ends, and
  // each time how much of it is left, and to park (four operations).
  const publishing = PUBLISH_BACKOFF_SECONDS.length * (2 + 3 * 5);

  // An approval wakes the workflow twice: asked, answered.
  const worst = base + perQueueLook * queueLooks + perRunLook * (runLooks + 2 * MOST_APPROVALS) + publishing;
  console.log(
    `operations: base ${base}, ${queueLooks} × ${perQueueLook} in the queue, ${runLooks} + ${2 * MOST_APPROVALS} × ${perRunLook} at work, ${publishing} to publish: ${worst}`,
  );
  expect(worst).toBeLessThan(BUDGET);
});
