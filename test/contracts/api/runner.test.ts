import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTaskTokens } from '../../../src/api/task-tokens.ts';
import { createValueMask } from '../../../src/runner/value-mask.ts';
import { diffKey, logKey } from '../../../src/task/blob-keys.ts';
import type { ModelAccess, ReportRequest } from '../../../src/task/protocol.ts';
import type { Task } from '../../../src/task/task.ts';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';
import { anOutcome, HEAD } from '../../fixtures/outcome.ts';
import { aTask } from '../../fixtures/task.ts';

let platform: TestPlatform;
let user: string;
/** How long the credentials last that the platform hands out. */
let ends: { forge: string | null; model: string | null } = { forge: null, model: null };
beforeAll(async () => {
  platform = await startTestPlatform({
    forgeCredentials: async () => ({ username: 'x', password: 'secret', expiresAt: ends.forge }),
    textMask: async () => createValueMask(['value-of-the-store-0042']),
    modelAccess: async ({ agent }) => (agent === 'claude' ? modelUntil(ends.model) : null),
  });
  user = await platform.key('user-1');
});
afterAll(() => platform.close());

const modelUntil = (expires_at: string | null): ModelAccess => ({
  provider: 'bedrock',
  region: 'eu-central-1',
  access_key_id: 'id',
  secret_access_key: 'secret',
  session_token: 'session',
  expires_at,
  main_model: 'main',
  small_model: 'small',
  prices: {},
});

/** A task that is under way, and the token of its attempt. */
async function running(fields: Partial<Task> = {}): Promise<{ task: Task; token: string }> {
  const { tasks } = platform.deps.stores;
  const started_at = new Date().toISOString();
  const { task } = await tasks.create(aTask({ task_id: platform.deps.newId(), started_at, ...fields }), [
    { type: 'task_created', metadata: { workflow: 'coding/new-task-v1', agent: 'command', retry_of: null } },
  ]);
  await tasks.admit(task.task_id, { perUser: 1_000, system: 1_000, attempt: task.attempt }, {}, []);
  const moved = await tasks.transition(task.task_id, { from: 'HYDRATING', to: 'RUNNING' }, []);
  return { task: moved, token: await platform.token(moved) };
}

const call = (token: string, task: Pick<Task, 'task_id'>, method: string, what: string, body?: unknown) =>
  request(platform, method, `/v1/runner/${task.task_id}/${what}`, {
    headers: { Authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body }),
  });

const aReport = (fields: Partial<ReportRequest> = {}): ReportRequest => ({
  attempt: 1,
  runner_id: 'runner-a',
  events: [],
  log: null,
  outcome: null,
  ...fields,
});

const anEvent = (
  seq: number,
  event_type = 'phase_started',
  metadata: Record<string, unknown> = { phase: 'clone' },
) => ({
  seq,
  event_type,
  timestamp: '2030-01-01T00:00:00.000Z',
  metadata,
});

const eventsOf = async ({
  task_id,
}: Task): Promise<{ event_type: string; metadata: Record<string, unknown> }[]> =>
  (await request(platform, 'GET', `/v1/tasks/${task_id}/events?limit=100`, { key: user })).body.data;

describe('the token', () => {
  it('is good for its task only', async () => {
    const { token } = await running();
    const other = await running();
    const { status, code } = await call(token, other.task, 'GET', 'payload');
    expect([status, code]).toEqual([401, 'UNAUTHORIZED']);
  });

  it('is refused when it is missing, forged, expired, without signature, or an API key', async () => {
    const { task } = await running();
    const forger = createTaskTokens({ secret: new Uint8Array(32).fill(9), now: Date.now });
    const claim = { taskId: task.task_id, attempt: 1, expiresAtMs: Date.now() + 60_000 };
    const unsigned = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ aud: task.task_id, epoch: 1, iss: 'bgagent', exp: 9_999_999_999 }))}.`;
    for (const token of [
      '',
      'nonsense',
      unsigned.replaceAll('=', ''),
      await forger.issue(claim),
      await platform.token(task, Date.now() - 2_000),
      await platform.key('user-1', ['admin']),
    ]) {
      const { status, code } = await call(token, task, 'GET', 'payload');
      expect([status, code]).toEqual([401, 'UNAUTHORIZED']);
    }
  });

  it('opens nothing but the runner’s protocol', async () => {
    const { task, token } = await running();
    const { status } = await request(platform, 'GET', `/v1/tasks/${task.task_id}`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(status).toBe(401);
  });

  it('of an earlier attempt is stale on every path', async () => {
    const { task, token } = await running();
    await platform.deps.stores.tasks.update(task.task_id, { patch: { attempt: 2 } });
    for (const [method, what, body] of [
      ['POST', 'start', { attempt: 1, runner_id: 'runner-a' }],
      ['GET', 'payload', undefined],
      ['POST', 'report', aReport({ outcome: anOutcome() })],
      ['POST', 'credentials', {}],
    ] as const) {
      const { status, code } = await call(token, task, method, what, body);
      expect([status, code], what).toEqual([409, 'EPOCH_STALE']);
    }
    expect(await platform.deps.stores.outcomes.get(task.task_id, 1)).toBeUndefined();
  });
});

describe('start', () => {
  it('lets the first process begin, also when it asks twice, and no other', async () => {
    const { task, token } = await running();
    const begin = (runner_id: string) => call(token, task, 'POST', 'start', { attempt: 1, runner_id });
    expect((await begin('runner-a')).status).toBe(200);
    expect((await begin('runner-a')).status).toBe(200);
    const late = await begin('runner-b');
    expect([late.status, late.code]).toEqual([409, 'EPOCH_STALE']);
    const report = await call(token, task, 'POST', 'report', aReport({ runner_id: 'runner-b' }));
    expect([report.status, report.code]).toEqual([409, 'EPOCH_STALE']);
  });

  it('of ten processes at once lets one begin', async () => {
    const { task, token } = await running();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        call(token, task, 'POST', 'start', { attempt: 1, runner_id: `runner-${index}` }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it('is refused past the deadline', async () => {
    const { task, token } = await running({ started_at: '2020-01-01T00:00:00.000Z', deadline_s: 60 });
    const { status, code } = await call(token, task, 'POST', 'start', { attempt: 1, runner_id: 'runner-a' });
    expect([status, code]).toEqual([409, 'EPOCH_STALE']);
  });
});

describe('payload and credentials', () => {
  it('are handed out', async () => {
    const { task, token } = await running();
    const payload = await call(token, task, 'GET', 'payload');
    expect(payload.body.data).toMatchObject({ task_id: task.task_id, attempt: 1, prompt: 'Add a greeting' });
    const credentials = await call(token, task, 'POST', 'credentials', {});
    expect(credentials.body.data).toEqual({
      git: { username: 'x', password: 'secret' },
      model: null,
      expires_at: null,
    });
  });

  it('are said to end when the first of them does', async () => {
    const { task, token } = await running({ agent: 'claude' });
    const end = async (forge: string | null, model: string | null): Promise<unknown> => {
      ends = { forge, model };
      const { body } = await call(token, task, 'POST', 'credentials', {});
      return body.data.expires_at;
    };
    const [early, late] = ['2030-01-01T09:00:00.000Z', '2030-01-01T10:00:00.000Z'];
    expect(await end(early, late)).toBe(early);
    expect(await end(late, early)).toBe(early);
    expect(await end(null, late)).toBe(late);
    expect(await end(null, null)).toBeNull();
  });

  it('are not handed out to users', async () => {
    const { task } = await running();
    const { status } = await request(platform, 'POST', `/v1/runner/${task.task_id}/credentials`, {
      key: user,
      body: {},
    });
    expect(status).toBe(401);
  });
});

describe('report', () => {
  it('writes each numbered event once, in order', async () => {
    const { task, token } = await running();
    const first = aReport({
      events: [anEvent(0), anEvent(1, 'phase_completed', { phase: 'clone', duration_ms: 5, ok: true })],
    });
    await call(token, task, 'POST', 'report', first);
    await call(token, task, 'POST', 'report', { ...first, events: [...first.events, anEvent(2)] });
    expect((await eventsOf(task)).map(({ event_type }) => event_type)).toEqual([
      'task_created',
      'phase_started',
      'phase_completed',
      'phase_started',
    ]);
  });

  it('leaves out what a runner may not tell or tells wrongly, with a word in the log', async () => {
    const { task, token } = await running();
    const before = platform.logged.length;
    const { status } = await call(
      token,
      task,
      'POST',
      'report',
      aReport({
        events: [
          anEvent(0, 'task_completed', { outcome: 'changes' }),
          anEvent(1, 'outcome_reported', { result: 'changes', head_sha: null }),
          anEvent(2, 'no_such_event', {}),
          anEvent(3, 'phase_started', { phase: 'nonsense' }),
          anEvent(4, 'agent_turn', { turn: 1, preview: 'x'.repeat(20_000) }),
          anEvent(5),
        ],
      }),
    );
    expect(status).toBe(200);
    expect((await eventsOf(task)).map(({ event_type }) => event_type)).toEqual([
      'task_created',
      'phase_started',
    ]);
    expect(platform.logged.slice(before).filter((event) => event === 'api.event.dropped')).toHaveLength(5);
  });

  it('may hold whatever text an agent prints, and is read again as it was', async () => {
    const { task, token } = await running();
    const preview = '\u0000 \ud800 \u001b[2J \u2028 \u{1f680} {"a":1}';
    const events = [anEvent(0, 'agent_milestone', { milestone: '', preview, surplus: 'deep' })];
    const { status } = await request(platform, 'POST', `/v1/runner/${task.task_id}/report`, {
      headers: { Authorization: `Bearer ${token}` },
      raw: JSON.stringify(aReport({ events })).replace('"deep"', '['.repeat(50_000) + ']'.repeat(50_000)),
    });
    expect(status).toBe(200);
    expect((await eventsOf(task)).at(-1)?.metadata).toEqual({ milestone: '', preview });
  });

  it('is a heartbeat', async () => {
    const { task, token } = await running();
    await call(token, task, 'POST', 'report', aReport());
    expect((await platform.deps.stores.tasks.get(task.task_id))?.last_heartbeat_at).not.toBeNull();
  });

  it('appends log text at its offset, once', async () => {
    const { task, token } = await running();
    await call(token, task, 'POST', 'report', aReport({ log: { offset: 0, text: 'grüße\n' } }));
    await call(token, task, 'POST', 'report', aReport({ log: { offset: 0, text: 'grüße\n' } }));
    await call(token, task, 'POST', 'report', aReport({ log: { offset: 8, text: 'done\n' } }));
    const { text, headers } = await request(platform, 'GET', `/v1/tasks/${task.task_id}/logs`, { key: user });
    expect(text).toBe('grüße\ndone\n');
    expect(headers.get('content-type')?.toLowerCase()).toBe('text/plain; charset=utf-8');
  });

  it('is kept without values of the secret store, and the log with its offsets', async () => {
    const { task, token } = await running();
    const hidden = 'value-of-the-store-0042';
    const diff = `+password = "${hidden}"\n`;
    const verification = [
      {
        check: 'test' as const,
        before: 'passed' as const,
        after: 'failed' as const,
        regressed: true,
        reason: null,
        output_tail: `said ${hidden}`,
      },
    ];
    const send = (fields: Partial<ReportRequest>) => call(token, task, 'POST', 'report', aReport(fields));
    const text = `it says ${hidden}!\n`;
    await send({
      events: [anEvent(0, 'agent_output', { preview: `cut off ${hidden.slice(0, 12)}`, lines: 1 })],
      log: { offset: 0, text },
    });
    await send({ log: { offset: text.length, text: 'next line\n' } });
    await send({ outcome: anOutcome({ summary: `done: ${hidden}`, diff, verification }) });
    const log = String(await platform.deps.blobs.get(logKey(task.task_id, 1)));
    expect(log).toBe('it says [redacted]*************!\nnext line\n');
    const outcome = await platform.deps.stores.outcomes.get(task.task_id, 1);
    expect(outcome).toMatchObject({
      summary: 'done: [redacted]',
      verification: [{ output_tail: 'said [redacted]' }],
    });
    const kept = [
      await eventsOf(task),
      outcome,
      log,
      await platform.deps.blobs.get(diffKey(task.task_id, 1)),
    ];
    expect(kept.map(String).join() + JSON.stringify(kept)).not.toContain(hidden.slice(0, 12));
    expect(JSON.stringify(await eventsOf(task))).toContain('cut off [redacted]');
  });

  it('tells of a cancel', async () => {
    const { task, token } = await running();
    expect((await call(token, task, 'POST', 'report', aReport())).body.data.cancel_requested).toBe(false);
    await request(platform, 'DELETE', `/v1/tasks/${task.task_id}`, { key: user });
    const { body } = await call(token, task, 'POST', 'report', aReport());
    expect(body.data).toEqual({ cancel_requested: true, nudges: [] });
  });

  it('keeps the outcome, its event and its diff once, and wakes the workflow', async () => {
    const { task, token } = await running();
    const report = aReport({ events: [anEvent(0)], outcome: anOutcome({ diff: '--- a\n+++ b\n' }) });
    expect((await call(token, task, 'POST', 'report', report)).status).toBe(200);
    expect((await call(token, task, 'POST', 'report', report)).status).toBe(200);
    expect(platform.woken).toContain(task.task_id);
    expect(await platform.deps.stores.outcomes.get(task.task_id, 1)).toMatchObject({ head_sha: HEAD });
    expect((await eventsOf(task)).map(({ event_type }) => event_type)).toEqual([
      'task_created',
      'phase_started',
      'outcome_reported',
    ]);
    expect((await request(platform, 'GET', `/v1/tasks/${task.task_id}/diff`, { key: user })).text).toBe(
      '--- a\n+++ b\n',
    );
  });

  it('with an outcome that was stored but not answered wakes the workflow, and tells nothing twice', async () => {
    const { task, token } = await running();
    // All that a platform did before it crashed.
    await platform.deps.stores.outcomes.put(task.task_id, 1, anOutcome(), [
      { type: 'outcome_reported', metadata: { result: 'changes', head_sha: HEAD } },
    ]);
    const { status } = await call(token, task, 'POST', 'report', aReport({ outcome: anOutcome() }));
    expect([status, platform.woken.includes(task.task_id)]).toEqual([200, true]);
    expect((await eventsOf(task)).map(({ event_type }) => event_type)).toEqual([
      'task_created',
      'outcome_reported',
    ]);
  });

  it('with the outcome is still answered well after the end, so that a runner whose answer was lost stops', async () => {
    const { task, token } = await running();
    const report = aReport({ events: [anEvent(0)], outcome: anOutcome({ diff: '+late\n' }) });
    // A platform that crashed had no time for the diff.
    await platform.deps.stores.outcomes.put(task.task_id, 1, anOutcome());
    await platform.end(task.task_id);
    const repeated = await call(token, task, 'POST', 'report', report);
    expect([repeated.status, repeated.body.data]).toEqual([200, { cancel_requested: false, nudges: [] }]);
    expect(platform.woken).not.toContain(task.task_id);
    const diff = await request(platform, 'GET', `/v1/tasks/${task.task_id}/diff`, { key: user });
    expect(diff.text).toBe('+late\n');
    const other = await call(token, task, 'POST', 'report', aReport({ events: [anEvent(9)] }));
    expect([other.status, other.code]).toEqual([409, 'TASK_ALREADY_TERMINAL']);
    const payload = await call(token, task, 'GET', 'payload');
    expect([payload.status, payload.code]).toEqual([409, 'TASK_ALREADY_TERMINAL']);
  });

  it('with the outcome is answered by what is stored when the task ends meanwhile', async () => {
    const { leases, outcomes } = platform.deps.stores;
    const { get } = leases;
    try {
      for (const [stored, answer] of [
        [true, 200],
        [false, 409],
      ] as const) {
        const { task, token } = await running();
        if (stored) await outcomes.put(task.task_id, 1, anOutcome());
        // The last look at the stores before the report is written.
        leases.get = async (name) => {
          await platform.end(task.task_id);
          return get(name);
        };
        const report = aReport({ events: [anEvent(0)], outcome: anOutcome() });
        expect((await call(token, task, 'POST', 'report', report)).status).toBe(answer);
        expect((await eventsOf(task)).map(({ event_type }) => event_type)).toEqual([
          'task_created',
          'task_failed',
        ]);
      }
    } finally {
      leases.get = get;
    }
  });

  it('with an outcome nobody knows of is refused after the end', async () => {
    const { task, token } = await running();
    await platform.end(task.task_id);
    const report = aReport({ outcome: anOutcome({ diff: '+late\n' }) });
    const { status, code } = await call(token, task, 'POST', 'report', report);
    expect([status, code]).toEqual([409, 'TASK_ALREADY_TERMINAL']);
    const diff = await request(platform, 'GET', `/v1/tasks/${task.task_id}/diff`, { key: user });
    expect(diff).toMatchObject({ status: 200, text: '' });
  });

  it('takes a diff of a megabyte, and refuses a body that no runner sends', async () => {
    const { task, token } = await running();
    const diff = `${'+ümlaut\n'.repeat(116_508)}`;
    const { status } = await call(token, task, 'POST', 'report', aReport({ outcome: anOutcome({ diff }) }));
    expect(status).toBe(200);
    const huge = await call(
      token,
      task,
      'POST',
      'report',
      aReport({ outcome: anOutcome({ diff: 'x'.repeat(9_000_000) }) }),
    );
    expect(huge.status).toBe(413);
  });

  it.each([
    [{ runner_id: '' }, 'runner_id'],
    [{ events: [{ seq: -1 }] }, 'seq'],
    [{ log: { offset: -5, text: '' } }, 'offset'],
    [{ log: { offset: 0, text: 'x'.repeat(262_145) } }, 'text'],
    [{ outcome: { result: 'splendid' } }, 'outcome'],
  ])('refuses %o naming the field', async (fields, field) => {
    const { task, token } = await running();
    const { status, body } = await call(token, task, 'POST', 'report', { ...aReport(), ...fields });
    expect(status).toBe(400);
    expect(body.error.message).toContain(field);
  });
});
