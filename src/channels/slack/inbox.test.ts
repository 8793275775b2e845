import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSlackRoom, type SlackRoom } from '../../../test/fixtures/slack.ts';
import { commandBody, eventBody, pressBody, signatureOf } from '../../../test/fixtures/slack-requests.ts';
import { aTask } from '../../../test/fixtures/task.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { Task } from '../../task/task.ts';
import type { Actor, ChannelInbox, InboundAnswer, InboundTask, TaskActions } from '../channel.ts';
import { createSlackInbox } from './inbox.ts';
import { createOauthState } from './oauth-state.ts';
import { createPeople } from './people.ts';

const SECRET = 'signing-secret-value';
const TASK_ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

let room: SlackRoom;
let inbox: ChannelInbox;
let actions: TaskActions;
/** What was asked of the platform: by whom, what, with which key. */
let asked: { what: string; actor: Actor; request?: InboundTask; taskId?: string; key?: string }[];
/** What the platform does with the next request. */
let act: () => Promise<Task>;

beforeAll(async () => {
  room = await createSlackRoom();
});
afterAll(() => room.close());

beforeEach(async () => {
  room.server.reset();
  room.logged.length = 0;
  asked = [];
  act = async () => aTask({ task_id: TASK_ID, status: 'CANCELLED' });
  actions = {
    async submit(actor, request, key) {
      asked.push({ what: 'submit', actor, request, key });
      return { task: await act(), created: true };
    },
    async retry(actor, taskId, key) {
      asked.push({ what: 'retry', actor, taskId, key });
      return act();
    },
    async cancel(actor, taskId) {
      asked.push({ what: 'cancel', actor, taskId });
      return act();
    },
    async get(actor, taskId) {
      asked.push({ what: 'get', actor, taskId });
      return act();
    },
    recent: async () => [aTask({ task_id: TASK_ID, status: 'RUNNING', repo: 'octo/hello' })],
  };
  inbox = createInbox();
  await room.stores.accountLinks.put({
    provider: 'slack',
    external_id: 'T1/U1',
    user_id: 'user-1',
    scopes: ['tasks:write'],
    key_id: null,
    created_at: '2030-01-01T00:00:00.000Z',
  });
});

const createInbox = (): ChannelInbox => {
  const note = (fields: Record<string, unknown>): void => void room.logged.push(fields);
  const { accountLinks: links, apiKeys } = room.stores;
  return createSlackInbox({
    workspaces: room.workspaces,
    callSlack: room.callSlack,
    actions,
    now: Date.now,
    momentMs: 400,
    people: createPeople({ links, apiKeys, now: Date.now }),
    log: { debug: note, info: note, warn: note, error: note },
    responseBase: new URL('/', room.server.responseUrl).href,
  });
};

function receive(
  kind: string,
  body: string,
  {
    secret = SECRET,
    ageS = 0,
    headers = {},
  }: { secret?: string; ageS?: number; headers?: Record<string, string> } = {},
): Promise<InboundAnswer> {
  const all: Record<string, string> = { ...signatureOf(secret, body, Date.now() - ageS * 1_000), ...headers };
  return inbox.receive(kind, { method: 'POST', query: {}, body, header: (name) => all[name.toLowerCase()] });
}

let events = 0;
const anEvent = (event: Record<string, unknown>, id = `Ev${++events}`): string => eventBody(event, id);
const mention = (text: string, more: Record<string, unknown> = {}): string =>
  anEvent({ type: 'app_mention', text: `<@UBOT> ${text}`, ...more });
const command = (text: string, more: Record<string, string> = {}): string =>
  commandBody(text, room.server.responseUrl, more);
const press = (actionId: string, value: string, user = 'U1'): string =>
  pressBody({ actionId, value, user, responseUrl: room.server.responseUrl });
const textOf = (answer: InboundAnswer): string => JSON.parse(answer.body).text;

describe('requests of Slack (L10)', () => {
  it.each<[string, Parameters<typeof receive>[2]]>([
    ['signed with another secret', { secret: 'guess' }],
    ['signed six minutes ago', { ageS: 301 }],
    ['signed in the future', { ageS: -301 }],
    ['without a signature', { headers: { 'x-slack-signature': '' } }],
    ['with half a signature', { headers: { 'x-slack-signature': 'v0=abc' } }],
    ['with a time that is none', { headers: { 'x-slack-request-timestamp': 'NaN' } }],
    [
      'with another time than was signed',
      { headers: { 'x-slack-request-timestamp': String(Math.floor(Date.now() / 1_000) - 100) } },
    ],
  ])('are refused when they are %s', async (_, options) => {
    for (const [kind, body] of [
      ['events', mention('octo/hello x')],
      ['commands', command('submit octo/hello x')],
      ['interactions', press('bgagent_cancel', TASK_ID)],
    ] as const)
      await expect(receive(kind, body, options)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(asked).toEqual([]);
  });

  it('prove the address, only when they are signed', async () => {
    const body = JSON.stringify({ type: 'url_verification', token: 'x', challenge: 'c-1' });
    expect(JSON.parse((await receive('events', body)).body)).toEqual({ challenge: 'c-1' });
    await expect(receive('events', body, { secret: 'guess' })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    });
  });

  it.each([
    ['events', ''],
    ['events', '{'],
    ['events', '[]'],
    ['events', '{"type":"event_callback"}'],
    [
      'events',
      JSON.stringify({
        type: 'event_callback',
        team_id: '../x',
        event_id: 'E',
        event: { type: 'app_mention' },
      }),
    ],
    ['commands', 'text=%'],
    ['commands', '{}'],
    ['interactions', 'payload={'],
    ['interactions', 'payload=null'],
  ])('to %s that make no sense are refused: %j', async (kind, body) => {
    await expect(receive(kind, body)).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
  });

  it('to other addresses find nothing', async () => {
    for (const kind of ['', 'constructor', 'oauth'])
      await expect(receive(kind, '{}')).rejects.toMatchObject({ code: 'ROUTE_NOT_FOUND' });
  });

  it('say which secret is missing', async () => {
    await room.secrets.delete('bgagent/slack/signing-secret');
    await expect(receive('events', mention('x'))).rejects.toMatchObject({ code: 'CHANNEL_NOT_CONFIGURED' });
    await room.secrets.put('bgagent/slack/signing-secret', SECRET);
  });
});

describe('a mention', () => {
  it('submits a task that is told about below it, as who its author is here', async () => {
    await receive(
      'events',
      mention('octo/hello#7 Fix the &lt;title&gt; of <https://example.com|example.com>'),
    );
    expect(asked).toEqual([
      {
        what: 'submit',
        actor: { userId: 'user-1', scopes: ['tasks:write'] },
        request: {
          repo: 'octo/hello',
          issueNumber: 7,
          source: 'slack',
          description: 'Fix the <title> of https://example.com',
          metadata: {
            team_id: 'T1',
            channel_id: 'C1',
            user_id: 'U1',
            thread_ts: '1700000000.000100',
            message_ts: '1700000000.000100',
          },
        },
        key: expect.stringMatching(/^slack-[0-9a-f]{40}$/),
      },
    ]);
    expect(room.server.ephemeral).toEqual([]);
  });

  it('inside a thread is answered in that thread', async () => {
    await receive('events', mention('octo/hello x', { thread_ts: '1699999999.000001' }));
    expect(asked[0]?.request?.metadata).toMatchObject({
      thread_ts: '1699999999.000001',
      message_ts: '1700000000.000100',
    });
  });

  it('is worked on once, however often Slack sends it, also after a restart', async () => {
    const body = mention('octo/hello x');
    for (let n = 0; n < 3; n++)
      await receive('events', body, {
        headers: { 'x-slack-retry-num': String(n), 'x-slack-retry-reason': 'http_timeout' },
      });
    expect(asked).toHaveLength(1);
    inbox = createInbox();
    await receive('events', body);
    expect(new Set(asked.map(({ key }) => key)).size).toBe(1);
  });

  it('is sent again when it could not be worked on', async () => {
    room.server.fault('chat.postEphemeral', { kind: 'error', code: 'internal_error' });
    const body = mention('just hello');
    await expect(receive('events', body)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await receive('events', body);
    expect(room.server.ephemeral).toHaveLength(1);
  });

  it('by someone unknown is answered to them alone, with what to do', async () => {
    await receive('events', mention('octo/hello x', { user: 'U9' }));
    expect(asked).toEqual([]);
    expect(room.server.ephemeral).toEqual([
      {
        channel: 'C1',
        user: 'U9',
        text: expect.stringContaining('bgagent slack link'),
        thread_ts: undefined,
      },
    ]);
  });

  it('that the platform refuses is answered with its words', async () => {
    act = async () => {
      throw new BgAgentError('REPO_NOT_ONBOARDED', 'octo/<!channel> is not onboarded');
    };
    await receive('events', mention('octo/hello x'));
    expect(room.server.ephemeral[0]?.text).toContain('octo/&lt;!channel&gt; is not onboarded');
  });

  it('of a bot, an edit, or in a channel without a mention is nothing', async () => {
    for (const more of [{ bot_id: 'B1' }, { subtype: 'message_changed' }, { user: undefined }])
      await receive('events', mention('octo/hello x', more));
    await receive('events', anEvent({ type: 'message', channel_type: 'channel', text: 'octo/hello x' }));
    await receive('events', anEvent({ type: 'reaction_added' }));
    expect([asked, room.server.calls]).toEqual([[], []]);
    await receive(
      'events',
      anEvent({ type: 'message', channel_type: 'im', channel: 'D1', text: 'octo/hello x' }),
    );
    expect(asked).toHaveLength(1);
  });

  it('is acknowledged while the work goes on', async () => {
    const { promise, resolve } = Promise.withResolvers<Task>();
    act = () => promise;
    expect((await receive('events', mention('octo/hello x'))).body).toBe('');
    expect(asked).toHaveLength(1);
    resolve(aTask());
    await inbox.settled();
  });
});

describe('a command', () => {
  it('answers with help when it is not understood', async () => {
    for (const text of ['', 'help', 'dance', '  HELP  '])
      expect(textOf(await receive('commands', command(text)))).toContain('/bgagent submit');
  });

  it('submits, without a thread', async () => {
    expect(textOf(await receive('commands', command('submit octo/hello Add a greeting')))).toMatch(
      /^Accepted/,
    );
    expect(asked[0]?.request).toMatchObject({
      repo: 'octo/hello',
      description: 'Add a greeting',
      metadata: { team_id: 'T1', channel_id: 'C1', user_id: 'U1' },
    });
    expect(textOf(await receive('commands', command('submit hello')))).toMatch(/^Begin with a repository/);
  });

  it('shows tasks', async () => {
    expect(textOf(await receive('commands', command('status')))).toBe(
      `\`${TASK_ID}\` *RUNNING* \`octo/hello\` Add a greeting`,
    );
    await receive('commands', command(`status ${TASK_ID.slice(0, 8)}`));
    expect(asked).toMatchObject([{ what: 'get', taskId: TASK_ID }]);
    expect(textOf(await receive('commands', command('status 7Z')))).toContain('no task of yours');
  });

  it('cancels, and says how it went', async () => {
    expect(textOf(await receive('commands', command(`cancel ${TASK_ID}`)))).toContain('its agent is gone');
    act = async () => aTask({ task_id: TASK_ID, status: 'RUNNING' });
    expect(textOf(await receive('commands', command(`cancel ${TASK_ID}`)))).toContain('is being cancelled');
    act = async () => {
      throw new BgAgentError('FORBIDDEN', 'task x belongs to another user');
    };
    expect(textOf(await receive('commands', command(`cancel ${TASK_ID}`)))).toContain(
      'belongs to another user',
    );
  });

  it('that takes long is answered at once, and with its result later', async () => {
    const { promise, resolve } = Promise.withResolvers<Task>();
    act = () => promise;
    expect(textOf(await receive('commands', command(`cancel ${TASK_ID}`)))).toBe('Working on it…');
    resolve(aTask({ task_id: TASK_ID, status: 'CANCELLED' }));
    await inbox.settled();
    expect(room.server.responses).toEqual([
      {
        response_type: 'ephemeral',
        replace_original: false,
        text: expect.stringContaining('its agent is gone'),
      },
    ]);
  });

  it('is never answered to an address that is not Slack’s', async () => {
    act = () => new Promise((resolve) => setTimeout(() => resolve(aTask()), 450));
    const elsewhere = room.server.responseUrl.replace('127.0.0.1', 'localhost');
    await receive('commands', command(`cancel ${TASK_ID}`, { response_url: elsewhere }));
    await inbox.settled();
    expect(room.server.responses).toEqual([]);
  });
});

describe('a link between accounts', () => {
  const putCode = (code_hash: string, more = {}) =>
    room.stores.accountLinks.putCode({
      provider: 'slack',
      code_hash,
      user_id: 'user-2',
      scopes: ['admin'],
      key_id: null,
      expires_at_ms: Date.now() + 60_000,
      ...more,
    });
  const hashOf = async (code: string): Promise<string> =>
    (await import('node:crypto')).createHash('sha256').update(code).digest('hex');

  it('is made by a code, once, and carries the rights of whoever asked for it', async () => {
    await putCode(await hashOf('ABCD-EFGH-JKMN'));
    expect(textOf(await receive('commands', command('link abcd-efgh-jkmn', { user_id: 'U7' })))).toContain(
      '`user-2`',
    );
    expect(textOf(await receive('commands', command('link ABCD-EFGH-JKMN', { user_id: 'U8' })))).toContain(
      'wrong',
    );
    await receive('events', mention('octo/hello x', { user: 'U7' }));
    expect(asked).toMatchObject([{ actor: { userId: 'user-2', scopes: ['admin'] } }]);
    await receive('commands', command('unlink', { user_id: 'U7' }));
    await receive('events', mention('octo/hello x', { user: 'U7' }));
    expect(asked).toHaveLength(1);
  });

  it('is worth nothing when its key is revoked or has expired', async () => {
    const { apiKeys, accountLinks } = room.stores;
    const at = new Date().toISOString();
    for (const [key_id, more] of [
      ['k-expired', { expires_at: '2020-01-01T00:00:00.000Z' }],
      ['k-revoked', { revoked_at: at }],
    ] as const) {
      await apiKeys.create({
        key_id,
        user_id: 'user-3',
        name: 'n',
        secret_hash: '',
        scopes: ['admin'],
        created_at: at,
        expires_at: null,
        last_used_at: null,
        revoked_at: null,
        ...more,
      });
      await accountLinks.put({
        provider: 'slack',
        external_id: 'T1/U6',
        user_id: 'user-3',
        scopes: ['admin'],
        key_id,
        created_at: at,
      });
      expect(textOf(await receive('commands', command(`cancel ${TASK_ID}`, { user_id: 'U6' })))).toContain(
        'do not know who',
      );
    }
    expect(asked).toEqual([]);
  });
});

describe('a button', () => {
  it('cancels or retries the task, and tells the one who pressed it', async () => {
    await receive('interactions', press('bgagent_cancel', TASK_ID));
    await receive('interactions', press('bgagent_retry', TASK_ID));
    expect(asked).toMatchObject([
      { what: 'cancel', taskId: TASK_ID, actor: { userId: 'user-1' } },
      { what: 'retry', taskId: TASK_ID, key: expect.stringMatching(/^slack-/) },
    ]);
    expect(room.server.responses.map(({ text }) => text)).toEqual([
      expect.stringContaining('its agent is gone'),
      expect.stringContaining('Trying again'),
    ]);
  });

  it('that is a link does nothing here', async () => {
    await receive('interactions', press('bgagent_view', ''));
    await receive('interactions', press('something_else', TASK_ID));
    expect(asked).toEqual([]);
  });

  it('pressed by someone unknown does nothing but say so', async () => {
    await receive('interactions', press('bgagent_cancel', TASK_ID, 'U9'));
    expect(asked).toEqual([]);
    expect(room.server.responses).toMatchObject([{ text: expect.stringContaining('do not know who') }]);
  });

  it('sent twice by Slack is pressed once', async () => {
    const body = press('bgagent_retry', TASK_ID);
    await receive('interactions', body);
    await receive('interactions', body);
    expect(asked).toHaveLength(1);
  });

  it('names no task that is none', async () => {
    await receive('interactions', press('bgagent_cancel', '<script>'));
    expect(asked).toEqual([]);
    expect(room.server.responses).toHaveLength(1);
  });
});

describe('an installation', () => {
  const callback = (query: Record<string, string>) =>
    inbox.receive('oauth/callback', { method: 'GET', query, body: '', header: () => undefined });
  const state = (nowMs = Date.now()) => createOauthState(SECRET, nowMs);

  it('keeps the token of the workspace, under its id (L1)', async () => {
    room.server.grants.set('code-1', {
      ok: true,
      access_token: 'xoxb-new',
      team: { id: 'T5', name: 'Five' },
    });
    expect((await callback({ code: 'code-1', state: state() })).body).toContain('Installed');
    expect(await room.secrets.get('bgagent/slack/T5')).toBe('xoxb-new');
    expect(JSON.stringify(room.logged)).not.toContain('xoxb-new');
  });

  it.each<[string, () => Record<string, string>]>([
    ['without a state', () => ({ code: 'code-1' })],
    ['with a forged state', () => ({ code: 'code-1', state: createOauthState('guess', Date.now()) })],
    ['begun more than an hour ago', () => ({ code: 'code-1', state: state(Date.now() - 3_600_001) })],
    ['with a code that is not Slack’s', () => ({ code: 'code-9', state: state() })],
    ['that was refused', () => ({ error: 'access_denied', state: state() })],
    ['of a whole enterprise', () => ({ code: 'code-org', state: state() })],
  ])('%s is refused', async (_, query) => {
    room.server.grants.set('code-org', { ok: true, access_token: 'x', team: null });
    await expect(callback(query())).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
  });

  it.each([
    ['app_uninstalled', {}],
    ['tokens_revoked', { tokens: { oauth: [], bot: ['UBOT'] } }],
  ])('ends with %s: token and links are gone', async (type, more) => {
    await room.workspaces.save('T5', { access_token: 'xoxb-5' });
    const link = { provider: 'slack', user_id: 'u', scopes: [], key_id: null, created_at: '' };
    await room.stores.accountLinks.put({ ...link, external_id: 'T5/U1' });
    const body = JSON.stringify({
      type: 'event_callback',
      team_id: 'T5',
      event_id: `Ev-${type}`,
      event: { type, ...more },
    });
    await receive('events', body);
    expect(await room.secrets.get('bgagent/slack/T5')).toBeUndefined();
    expect(await room.stores.accountLinks.list('slack', 'T5/')).toEqual([]);
    expect(await room.secrets.get('bgagent/slack/T1')).toBeDefined();
  });

  it('stays when only people’s tokens are revoked', async () => {
    await receive('events', anEvent({ type: 'tokens_revoked', tokens: { oauth: ['U1'], bot: [] } }));
    expect(await room.secrets.get('bgagent/slack/T1')).toBeDefined();
  });
});
