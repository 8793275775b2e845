import { createHash, createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTaskActions } from '../../../src/api/actions.ts';
import type { ChannelInbox } from '../../../src/channels/channel.ts';
import { createSlackCaller } from '../../../src/channels/slack/api.ts';
import { createSlackInbox } from '../../../src/channels/slack/inbox.ts';
import { createPeople } from '../../../src/channels/slack/people.ts';
import { createWorkspaces } from '../../../src/channels/slack/workspaces.ts';
import type { Task } from '../../../src/task/task.ts';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';
import { aCommand, aMention, aPress, type SignedRequest } from '../../fixtures/slack-requests.ts';

const SECRET = 'signing-secret-value';
const REPO = '/srv/git/hello.git';

let platform: TestPlatform;
let inbox: ChannelInbox;

beforeAll(async () => {
  // Filled when the platform is there, whose actions the inbox needs.
  const slack: ChannelInbox = {
    receive: (...args) => inbox.receive(...args),
    settled: () => inbox.settled(),
  };
  platform = await startTestPlatform({ inboxes: { slack } });
  const { stores, log, now } = platform.deps;
  const secrets = new Map([['bgagent/slack/signing-secret', SECRET]]);
  const callSlack = createSlackCaller({ apiUrl: 'http://127.0.0.1:9/api/', timeoutMs: 100 });
  inbox = createSlackInbox({
    callSlack,
    log,
    now,
    actions: createTaskActions(platform.deps),
    people: createPeople({ links: stores.accountLinks, apiKeys: stores.apiKeys, now }),
    workspaces: createWorkspaces({
      clientId: null,
      now,
      call: (method, args) => callSlack(undefined, method, args),
      secrets: {
        get: async (name) => secrets.get(name),
        put: async (name, value) => void secrets.set(name, value),
        delete: async (name) => void secrets.delete(name),
        list: async () => [...secrets.keys()],
      },
    }),
  });
  for (const [user, userId] of [
    ['U1', 'octocat'],
    ['U2', 'bob'],
  ] as const)
    await stores.accountLinks.put({
      provider: 'slack',
      external_id: `T1/${user}`,
      user_id: userId,
      key_id: null,
      scopes: ['tasks:read', 'tasks:write', 'tasks:cancel'],
      created_at: '2030-01-01T00:00:00.000Z',
    });
});
afterAll(async () => {
  await inbox.settled();
  await platform.close();
});

const post = (kind: string, { body, headers }: SignedRequest) =>
  fetch(`${platform.url}/v1/slack/${kind}`, { method: 'POST', body, headers });
const mention = (eventId: string) =>
  post('events', aMention(SECRET, { text: `${REPO} Add a greeting`, ts: '1700000000.000100', eventId }));
const tasksOf = async (userId: string): Promise<Task[]> =>
  (await platform.deps.stores.tasks.list({ userId, limit: 100 })).items;

describe('what people do in Slack', () => {
  it('makes tasks of theirs that know where they came from', async () => {
    expect((await mention('Ev-first')).status).toBe(200);
    await inbox.settled();
    expect(await tasksOf('octocat')).toMatchObject([
      {
        repo: REPO,
        task_description: 'Add a greeting',
        channel_source: 'slack',
        user_id: 'octocat',
        channel_metadata: { team_id: 'T1', channel_id: 'C1', thread_ts: '1700000000.000100' },
      },
    ]);
    const key = await platform.key('octocat');
    const [task] = await tasksOf('octocat');
    const { body } = await request(platform, 'GET', `/v1/tasks/${task?.task_id}`, { key });
    expect(body.data).toMatchObject({ channel_source: 'slack' });
    expect(body.data).not.toHaveProperty('channel_metadata');
  });

  it('cancels and retries only what is theirs', async () => {
    const [task] = await tasksOf('octocat');
    const value = task?.task_id ?? '';
    const press = (actionId: string, user: string) =>
      post('interactions', aPress(SECRET, { actionId, value, user, responseUrl: 'http://127.0.0.1:9/' }));
    await press('bgagent_cancel', 'U2');
    await inbox.settled();
    expect((await platform.deps.stores.tasks.get(value))?.cancel_requested_at).toBeNull();
    await press('bgagent_cancel', 'U1');
    await inbox.settled();
    expect((await platform.deps.stores.tasks.get(value))?.cancel_requested_at).not.toBeNull();
    expect(platform.woken).toContain(value);
    await platform.end(value, 'CANCELLED');
    await press('bgagent_retry', 'U2');
    await press('bgagent_retry', 'U1');
    await inbox.settled();
    expect(await tasksOf('bob')).toEqual([]);
    expect((await tasksOf('octocat'))[0]).toMatchObject({
      retry_of: value,
      channel_source: 'slack',
      channel_metadata: task?.channel_metadata,
    });
  });

  it('is screened and limited like a request of the API', async () => {
    const before = (await tasksOf('octocat')).length;
    const answers = await Promise.all(
      [`submit ${REPO} ${'x'.repeat(10_001)}`, `submit octo/unknown x`, `submit ${REPO}`].map(
        async (text) => {
          const answer = await post('commands', aCommand(SECRET, text, 'http://127.0.0.1:9/'));
          return ((await answer.json()) as { text: string }).text;
        },
      ),
    );
    expect(answers).toEqual([
      expect.stringContaining('task_description: must have at most'),
      expect.stringContaining('not onboarded'),
      expect.stringContaining('task_description'),
    ]);
    expect(await tasksOf('octocat')).toHaveLength(before);
  });

  it('answers a storm of a thousand requests, and does each thing once', { timeout: 120_000 }, async () => {
    const before = (await tasksOf('octocat')).length;
    const statuses = await Promise.all(
      Array.from({ length: 1_000 }, async (_, n) => {
        // Three events, sent over and over; half of all requests are forged.
        const { body, headers } = aMention(n % 2 === 0 ? SECRET : 'guess', {
          text: `${REPO} Storm`,
          ts: '1700000000.000200',
          eventId: `Ev-storm-${n % 3}`,
        });
        return (await post('events', { body, headers })).status;
      }),
    );
    await inbox.settled();
    const count = (status: number): number => statuses.filter((one) => one === status).length;
    expect([count(200), count(401)]).toEqual([500, 500]);
    expect((await tasksOf('octocat')).length - before).toBe(3);
  });

  it.each([
    ['nothing', ''],
    ['garbage', '\u0000\uffff{{{'],
    ['very deep JSON', `{"payload":${'['.repeat(50_000)}`],
  ])('is refused, signed as it may be, when it is %s', async (_, body) => {
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const signature = `v0=${createHmac('sha256', SECRET).update(`v0:${timestamp}:${body}`).digest('hex')}`;
    const headers = { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': signature };
    for (const kind of ['events', 'commands', 'interactions'])
      expect((await post(kind, { body, headers })).status, kind).toBe(400);
  });

  it('is refused when it is too large', async () => {
    const text = 'x'.repeat(1_000_001);
    const { body, headers } = aMention(SECRET, { text, ts: '1700000000.000100', eventId: 'Ev-large' });
    // The rest of the body may still be on its way: no other request goes over this connection.
    const answer = await post('events', { body, headers: { ...headers, connection: 'close' } });
    expect(answer.status).toBe(413);
  });
});

describe('notifications', () => {
  it('of a task are kept, and lost by no retry', async () => {
    const key = await platform.key('dora');
    const notifications = { slack: { events: ['default', 'pr_created'] }, email: { enabled: false } };
    const { body } = await request(platform, 'POST', '/v1/tasks', {
      key,
      body: { repo: REPO, task_description: 'x', notifications },
    });
    expect(body.data.notifications).toEqual(notifications);
    await platform.end(body.data.task_id);
    const again = await request(platform, 'POST', `/v1/tasks/${body.data.task_id}/retry`, { key });
    expect(again.body.data.notifications).toEqual(notifications);
  });

  it.each([
    [{ slack: { channel: '#general' } }, 'notifications.slack.channel: must be `<team id>/<channel id>`'],
    [{ email: { to: ['nobody'] } }, 'notifications.email.to.0: must be mail addresses'],
  ])('of a repository say what is wrong with %j', async (notifications, message) => {
    const answer = await request(platform, 'PUT', `/v1/repos/${encodeURIComponent(REPO)}`, {
      key: await platform.key('root', ['admin']),
      body: { notifications },
    });
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(message)]);
  });

  it('of a task say what is told, not where', async () => {
    const answer = await request(platform, 'POST', '/v1/tasks', {
      key: await platform.key('dora'),
      body: { repo: REPO, task_description: 'x', notifications: { slack: { channel: 'T1/C1' } } },
    });
    expect([answer.status, answer.body.error.message]).toEqual([
      400,
      expect.stringContaining('no such field: channel; allowed: enabled, events'),
    ]);
  });

  it.each([{ slack: 'off' }, { slack: { enabled: 'no' } }, { slack: { events: 'all' } }, 'none', [1]])(
    'are refused when they are %j',
    async (notifications) => {
      const task = await request(platform, 'POST', '/v1/tasks', {
        key: await platform.key('dora'),
        body: { repo: REPO, task_description: 'x', notifications },
      });
      const repo = await request(platform, 'PUT', `/v1/repos/${encodeURIComponent(REPO)}`, {
        key: await platform.key('root', ['admin']),
        body: { notifications },
      });
      for (const answer of [task, repo])
        expect([answer.status, answer.body.error.message]).toEqual([
          400,
          expect.stringContaining('notifications'),
        ]);
    },
  );
});

describe('a code that links an account', () => {
  it('is shown once, kept as a hash, and carries the rights of its key', async () => {
    const key = await platform.key('carol', ['tasks:read']);
    const { status, body } = await request(platform, 'POST', '/v1/account-links', {
      key,
      body: { provider: 'slack' },
    });
    expect([status, body.data.code]).toEqual([201, expect.stringMatching(/^[A-Z2-9]{4}(-[A-Z2-9]{4}){2}$/)]);
    const hash = createHash('sha256').update(body.data.code).digest('hex');
    expect(await platform.deps.stores.accountLinks.takeCode('slack', hash)).toMatchObject({
      user_id: 'carol',
      scopes: ['tasks:read'],
      key_id: key.split('_')[1],
    });
  });

  it.each([{}, { provider: 'myspace' }, { provider: 'slack', more: 1 }])(
    'is not made from %j',
    async (body) => {
      const answer = await request(platform, 'POST', '/v1/account-links', {
        key: await platform.key('carol'),
        body,
      });
      expect([answer.status, answer.code]).toEqual([400, 'VALIDATION_ERROR']);
    },
  );
});

describe('deliveries', () => {
  it('are listed by state and replayed by an admin', async () => {
    const { deliveries, events } = platform.deps.stores;
    const [event] = await events.feed('', 1);
    if (!event) throw new Error('there is a first event');
    await deliveries.append([{ channel: 'slack', event, type: event.event_type }], {
      reader: 'x',
      cursor: '',
    });
    const [claimed] = await deliveries.claim({ channel: 'slack', owner: 'o', leaseMs: 1_000, limit: 1 });
    await deliveries.settle(claimed ?? { delivery_id: '', attempts: 0 }, { kind: 'dead', note: 'gave up' });
    const key = await platform.key('root', ['admin']);
    const dead = await request(platform, 'GET', '/v1/deliveries?state=dead', { key });
    expect(dead.body.data).toMatchObject([
      { delivery_id: `${event.event_id}.slack`, state: 'dead', note: 'gave up', next_attempt_at: null },
    ]);
    const path = `/v1/deliveries/${event.event_id}.slack/replay`;
    expect((await request(platform, 'POST', path, { key })).body.data).toMatchObject({
      state: 'pending',
      failures: 0,
    });
    const again = await request(platform, 'POST', path, { key });
    expect([again.status, again.code]).toEqual([409, 'DELIVERY_NOT_REPLAYABLE']);
    const unknown = await request(platform, 'POST', '/v1/deliveries/x/replay', { key });
    expect([unknown.status, unknown.code]).toEqual([404, 'DELIVERY_NOT_FOUND']);
    const wrong = await request(platform, 'GET', '/v1/deliveries?state=lost', { key });
    expect([wrong.status, wrong.body.error.message]).toEqual([
      400,
      expect.stringContaining('must be one of pending'),
    ]);
  });
});
