import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { channelContract } from '../../../test/contracts/channel.contract.ts';
import type { SlackFault } from '../../../test/fakes/slack-server.ts';
import {
  anEventOf,
  aSlackTask,
  createSlackRoom,
  type SlackRoom,
  tell,
} from '../../../test/fixtures/slack.ts';
import { aTask } from '../../../test/fixtures/task.ts';
import type { Task } from '../../task/task.ts';

const FAULTS = {
  refuse: { kind: 'error', code: 'is_archived' },
  fail: { kind: 'status', status: 503 },
  limit: { kind: 'limit', seconds: 7 },
  'lose-answer': { kind: 'drop', accept: true },
} as const satisfies Record<string, SlackFault>;

channelContract({
  name: 'slack',
  create: async () => {
    const room = await createSlackRoom();
    return {
      channel: room.channel,
      task: (task_id) => aSlackTask(room, { task_id }),
      visible: async (taskId) =>
        room.server
          .visible()
          .filter(({ metadata }) => metadata?.event_payload.task_id === taskId)
          .map(({ text, blocks }) => `${text} ${JSON.stringify(blocks)}`),
      fault: (...faults) => room.server.fault('chat.postMessage', ...faults.map((fault) => FAULTS[fault])),
      close: room.close,
    };
  },
});

/** Slack's answers that no retry changes, as the requirement lists them. */
const FINAL = [
  'channel_not_found',
  'not_in_channel',
  'is_archived',
  'message_not_found',
  'not_authed',
  'invalid_auth',
  'token_revoked',
  'token_expired',
  'account_inactive',
  'no_permission',
  'missing_scope',
  'restricted_action',
  'ekm_access_denied',
  'team_access_not_granted',
  'posting_to_general_channel_denied',
  'as_user_not_supported',
  'invalid_blocks',
  'invalid_blocks_format',
  'invalid_arguments',
  'msg_too_long',
  'too_many_attachments',
  'no_text',
  'invalid_arg_name',
  'invalid_form_data',
  'restricted_action_read_only_channel',
  'restricted_action_thread_only_channel',
  'restricted_action_non_threadable_channel',
];

describe('slack', () => {
  let room: SlackRoom;
  beforeAll(async () => {
    room = await createSlackRoom();
  });
  beforeEach(() => {
    room.server.reset();
    room.logged.length = 0;
    room.channel = room.restarted();
  });
  afterAll(() => room.close());

  const texts = (): string[] =>
    room.server.visible().map(({ text }) => text.replace(/:[a-z_]+: /, '').replace(/\*/g, ''));
  const reactionsOf = (task: Task): string[] | undefined =>
    room.server.messages.find(({ ts }) => ts === task.channel_metadata?.message_ts)?.reactions;
  const keys = (): unknown[] => room.logged.map(({ event }) => event);
  const methods = (): string[] => room.server.calls.map(({ method }) => method);

  it('hears by default of what people want to know, and of no second message that says the same (F6)', () => {
    expect([...room.channel.defaults].sort()).toEqual([
      'agent_error',
      'approval_requested',
      'approval_stranded',
      'session_started',
      'task_cancelled',
      'task_completed',
      'task_created',
      'task_failed',
      'task_stranded',
      'task_timed_out',
    ]);
    expect(room.channel.renders).toContain('pr_created');
  });

  it('tells a task in the thread of its mention, and the state by a reaction there (L2, L3)', async () => {
    const task = aSlackTask(room);
    for (const [type, reaction] of [
      ['task_created', 'eyes'],
      ['session_started', 'hourglass_flowing_sand'],
      ['agent_error', 'hourglass_flowing_sand'],
      ['task_completed', 'white_check_mark'],
    ] as const) {
      await tell(room.channel, task, type);
      expect(reactionsOf(task)).toEqual([reaction]);
    }
    const root = task.channel_metadata?.thread_ts;
    expect(room.server.visible().map(({ thread_ts }) => thread_ts)).toEqual([root, root]);
    expect(texts().join()).toMatch(/^The agent met an error.*Done/);
  });

  it.each([
    ['task_failed', 'x'],
    ['task_cancelled', 'no_entry_sign'],
    ['task_timed_out', 'hourglass'],
    ['task_stranded', 'x'],
  ] as const)('leaves only the reaction of %s (L3)', async (type, reaction) => {
    const task = aSlackTask(room);
    for (const each of ['task_created', 'session_started', type] as const)
      await tell(room.channel, task, each);
    expect(reactionsOf(task)).toEqual([reaction]);
  });

  it('begins a thread with its first message when nobody mentioned it, and keeps that (L2, L4)', async () => {
    const task = aSlackTask(room, { channel_metadata: { team_id: 'T1', channel_id: 'C1', user_id: 'U1' } });
    for (const type of ['task_created', 'session_started', 'task_completed'] as const)
      await tell(room.channel, task, type);
    const [root, ...replies] = room.server.visible('C1');
    expect(root).toMatchObject({ thread_ts: undefined, reactions: ['white_check_mark'] });
    expect(replies.map(({ thread_ts }) => thread_ts)).toEqual([root?.ts]);
  });

  it('takes the passing messages away at the end (L4)', async () => {
    const task = aSlackTask(room);
    for (const type of ['task_created', 'session_started'] as const) await tell(room.channel, task, type);
    expect(room.server.visible()).toHaveLength(2);
    await tell(room.channel, task, 'task_failed');
    expect(texts()).toEqual([expect.stringMatching(/^Failed/)]);
  });

  it('posts direct messages to the user, and works on them in the real channel (L2)', async () => {
    room.server.channels.add('D1');
    const ts = room.server.say('D1', 'octo/hello Add a greeting');
    const task = aSlackTask(room, {
      channel_metadata: { team_id: 'T1', channel_id: 'D1', user_id: 'U1', thread_ts: ts, message_ts: ts },
    });
    for (const type of ['task_created', 'session_started', 'task_completed'] as const)
      await tell(room.channel, task, type);
    const posts = room.server.calls.filter(({ method }) => method === 'chat.postMessage');
    expect(posts.map(({ args }) => args.channel)).toEqual(['U1', 'U1', 'U1']);
    expect(reactionsOf(task)).toEqual(['white_check_mark']);
    expect(room.server.visible('D1')).toHaveLength(1);
    expect(keys()).toEqual([]);
  });

  it('tells tasks from elsewhere only where a channel is named (L1)', async () => {
    const task = aTask({ channel_source: 'api' });
    expect(room.channel.wants(task, {})).toBe(false);
    expect(room.channel.wants(task, { channel: 'T1/C2' })).toBe(true);
    expect(room.channel.wants(task, { channel: 'C2; rm -rf' })).toBe(false);
    expect(room.restarted({ notifyChannel: 'T1/C1' }).wants(task, {})).toBe(true);
    await room.channel.deliver({
      event: anEventOf(task, 'task_completed'),
      type: 'task_completed',
      task,
      overrides: { channel: 'T1/C2' },
    });
    expect(room.server.visible('C2')).toHaveLength(1);
  });

  it('makes one message of a stranded and failed pair (L5)', async () => {
    const task = aSlackTask(room);
    await tell(room.channel, task, 'task_stranded');
    expect(await tell(room.channel, task, 'task_failed')).toMatchObject({
      note: expect.stringContaining('nothing was sent'),
    });
    expect(texts()).toEqual([expect.stringMatching(/^Stranded/)]);
    expect(reactionsOf(task)).toEqual(['x']);
  });

  it('never lets an agent error take the place of an end (L5)', async () => {
    const task = aSlackTask(room);
    for (const type of ['agent_error', 'agent_error', 'task_failed'] as const)
      await tell(room.channel, task, type);
    expect(texts()).toEqual([expect.stringMatching(/^The agent met/), expect.stringMatching(/^Failed/)]);
  });

  it('loses no message to a failure after the claim (L5)', async () => {
    const task = aSlackTask(room);
    const event = anEventOf(task, 'task_failed');
    room.server.fault(
      'chat.postMessage',
      { kind: 'error', code: 'service_unavailable' },
      { kind: 'limit', seconds: 3 },
    );
    await expect(tell(room.channel, task, 'task_failed', event)).rejects.toThrow('service_unavailable');
    await expect(tell(room.channel, task, 'task_failed', event)).rejects.toMatchObject({
      retryAfterSeconds: 3,
    });
    await tell(room.restarted(), task, 'task_failed', event);
    expect(texts()).toHaveLength(1);
  });

  it('lets the end be told by the next event when the first was given up with its slot (L5)', async () => {
    const task = aSlackTask(room);
    room.server.fault('chat.postMessage', { kind: 'drop' });
    await expect(tell(room.channel, task, 'task_stranded')).rejects.toThrow();
    await tell(room.channel, task, 'task_failed');
    expect(texts()).toEqual([expect.stringMatching(/^Failed/)]);
  });

  it.each([
    ['in a thread', {}],
    ['in a channel', { channel_metadata: { team_id: 'T1', channel_id: 'C1', user_id: 'U1' } }],
    ['to a user', { channel_metadata: { team_id: 'T1', channel_id: 'D1', user_id: 'U1' } }],
  ])('finds a message whose answer was lost, and takes a second one away, %s (L6)', async (_, fields) => {
    const task = aSlackTask(room, fields);
    for (const [type, key] of [
      ['task_created', 'task_created_dup_delete'],
      ['session_started', 'session_dup_delete'],
    ] as const) {
      const event = anEventOf(task, type);
      room.server.fault('chat.postMessage', { kind: 'hang', accept: true, times: 2 });
      await expect(tell(room.channel, task, type, event)).rejects.toThrow('timeout');
      expect(await tell(room.restarted(), task, type, event)).toMatchObject({
        note: expect.stringContaining('found'),
      });
      expect(keys()).toContain(`fanout.slack.${key}`);
    }
    expect(texts()).toHaveLength(2);
    expect(methods().filter((method) => method === 'chat.postMessage')).toHaveLength(2);
  });

  it('searches only after an attempt whose end is not known (L6)', async () => {
    const task = aSlackTask(room);
    const event = anEventOf(task, 'task_created');
    room.server.fault(
      'chat.postMessage',
      { kind: 'limit', seconds: 1 },
      { kind: 'error', code: 'some_new_error' },
    );
    for (let n = 0; n < 2; n++)
      await expect(tell(room.restarted(), task, 'task_created', event)).rejects.toThrow();
    await tell(room.channel, task, 'task_created', event);
    expect(methods().filter((method) => method.startsWith('conversations'))).toEqual([]);
    expect(texts()).toHaveLength(1);
  });

  it('keeps at a second message until it is gone (L6)', async () => {
    const task = aSlackTask(room);
    const event = anEventOf(task, 'task_failed');
    room.server.fault('chat.postMessage', { kind: 'drop', accept: true, times: 2 });
    room.server.fault('chat.delete', { kind: 'error', code: 'internal_error' }, { kind: 'drop' });
    for (let n = 0; n < 3; n++)
      await expect(tell(room.channel, task, 'task_failed', event)).rejects.toThrow();
    await tell(room.channel, task, 'task_failed', event);
    expect(texts()).toHaveLength(1);
    expect(methods().filter((method) => method === 'chat.postMessage')).toHaveLength(1);
  });

  it('says when a second message could not be taken away (L6)', async () => {
    const task = aSlackTask(room);
    const event = anEventOf(task, 'task_created');
    room.server.fault('chat.postMessage', { kind: 'drop', accept: true, times: 3 });
    room.server.fault(
      'chat.delete',
      { kind: 'error', code: 'cant_delete_message' },
      { kind: 'error', code: 'message_not_found' },
    );
    await expect(tell(room.channel, task, 'task_created', event)).rejects.toThrow();
    await tell(room.channel, task, 'task_created', event);
    expect(room.logged).toContainEqual(
      expect.objectContaining({
        event: 'fanout.slack.dup_delete_failed',
        error_id: 'FANOUT_SLACK_DUP_DELETE_FAILED',
      }),
    );
    // Gone already counts as taken away.
    expect(keys().filter((key) => key === 'fanout.slack.task_created_dup_delete')).toHaveLength(1);
  });

  it('posts again when it may not search: twice is better than never', async () => {
    const task = aSlackTask(room);
    const event = anEventOf(task, 'task_created');
    room.server.fault('chat.postMessage', { kind: 'drop' });
    room.server.fault('conversations.replies', { kind: 'error', code: 'missing_scope' });
    await expect(tell(room.channel, task, 'task_created', event)).rejects.toThrow();
    await tell(room.channel, task, 'task_created', event);
    expect(texts()).toHaveLength(1);
    expect(keys()).toContain('fanout.slack.adopt_failed');
  });

  it.each(FINAL)('takes %s for final (L7)', async (code) => {
    room.server.fault('chat.postMessage', { kind: 'error', code });
    await expect(tell(room.channel, aSlackTask(room), 'task_created')).rejects.toMatchObject({
      code: 'CHANNEL_REFUSED',
    });
    expect(room.logged).toContainEqual(expect.objectContaining({ event: 'fanout.slack.api_error', code }));
  });

  it.each<[string, SlackFault, number | undefined]>([
    ['ratelimited', { kind: 'error', code: 'ratelimited' }, 30],
    ['rate_limited', { kind: 'error', code: 'rate_limited' }, 30],
    ['a 429', { kind: 'limit', seconds: 12 }, 12],
    ['a 429 without a time', { kind: 'limit', seconds: null }, 30],
    ['service_unavailable', { kind: 'error', code: 'service_unavailable' }, undefined],
    ['internal_error', { kind: 'error', code: 'internal_error' }, undefined],
    ['fatal_error', { kind: 'error', code: 'fatal_error' }, undefined],
    ['request_timeout', { kind: 'error', code: 'request_timeout' }, undefined],
    ['an unknown code', { kind: 'error', code: 'mercury_in_retrograde' }, undefined],
    ['a 500', { kind: 'status', status: 500 }, undefined],
    ['a 404 of a proxy', { kind: 'status', status: 404 }, undefined],
    ['a broken connection', { kind: 'drop' }, undefined],
    ['no answer', { kind: 'hang' }, undefined],
  ])('tries again after %s (L7)', async (_, fault, retryAfterSeconds) => {
    room.server.fault('chat.postMessage', fault);
    await expect(tell(room.channel, aSlackTask(room), 'task_created')).rejects.toMatchObject({
      code: 'CHANNEL_UNAVAILABLE',
      retryAfterSeconds,
    });
    expect(keys()).toContain('fanout.slack.retryable_api_error');
  });

  it('never fails for a reaction or a deletion, and tells Slack’s answers from the network’s (L8)', async () => {
    const task = aSlackTask(room);
    await tell(room.channel, task, 'task_created');
    await tell(room.channel, task, 'session_started');
    room.server.fault('reactions.add', { kind: 'error', code: 'too_many_reactions' });
    room.server.fault('reactions.remove', { kind: 'drop' }, { kind: 'error', code: 'internal_error' });
    room.server.fault(
      'chat.delete',
      { kind: 'error', code: 'cant_delete_message' },
      { kind: 'status', status: 500 },
    );
    expect(await tell(room.channel, task, 'task_failed')).toMatchObject({ kind: 'sent' });
    expect(room.logged.map(({ event, error_id }) => [event, error_id])).toEqual([
      ['fanout.slack.reaction_add_api_error', undefined],
      ['fanout.slack.reaction_remove_network_error', 'FANOUT_SLACK_REACTION_NETWORK'],
      ['fanout.slack.reaction_remove_api_error', undefined],
      ['fanout.slack.message_delete_api_error', undefined],
      ['fanout.slack.message_delete_network_error', 'FANOUT_SLACK_DELETE_NETWORK'],
    ]);
  });

  it('takes what is done already for done: already_reacted, no_reaction, message_not_found (L3, L6)', async () => {
    const task = aSlackTask(room);
    await tell(room.channel, task, 'task_created');
    room.server.fault('reactions.add', { kind: 'error', code: 'already_reacted' });
    room.server.fault('reactions.remove', { kind: 'error', code: 'no_reaction' });
    room.server.fault('chat.delete', { kind: 'error', code: 'message_not_found' });
    await tell(room.channel, task, 'task_failed');
    expect(keys()).toEqual([]);
  });

  it('cleans up by what it knew when the second look fails (L4)', async () => {
    const task = aSlackTask(room);
    await tell(room.channel, task, 'task_created');
    let reads = 0;
    const channel = room.restarted({
      messages: {
        ...room.stores.messages,
        list: (...args) => {
          reads += 1;
          if (reads === 2) throw new Error('the database is busy');
          return room.stores.messages.list(...args);
        },
      },
    });
    await tell(channel, task, 'task_failed');
    expect(keys()).toEqual(['fanout.slack.cleanup_reread_failed']);
    expect(texts()).toHaveLength(1);
  });

  it('calls a missing token a missing setting, before any call (L8, F3)', async () => {
    const task = aSlackTask(room, { channel_metadata: { team_id: 'T9', channel_id: 'C1', user_id: 'U1' } });
    await expect(tell(room.channel, task, 'task_created')).rejects.toMatchObject({
      code: 'CHANNEL_NOT_CONFIGURED',
      message: expect.stringContaining('FANOUT_SLACK_MISSING_TOKEN'),
    });
    expect(room.server.calls).toEqual([]);
  });

  it('renews a token that has expired, once (L7)', async () => {
    await room.workspaces.save('T1', { access_token: 'xoxe-old', refresh_token: 'refresh-1' });
    room.server.tokens.set('xoxe-new', []);
    room.server.grants.set('refresh-1', { ok: true, access_token: 'xoxe-new', refresh_token: 'refresh-2' });
    room.server.fault('chat.postMessage', { kind: 'error', code: 'token_expired' });
    const task = aSlackTask(room);
    await tell(room.channel, task, 'task_created');
    expect(texts()).toHaveLength(1);
    expect(JSON.parse((await room.secrets.get('bgagent/slack/T1')) ?? '')).toEqual({
      access_token: 'xoxe-new',
      refresh_token: 'refresh-2',
    });
    room.server.fault('chat.postMessage', ...Array(2).fill({ kind: 'error', code: 'token_expired' }));
    room.server.grants.set('refresh-2', { ok: true, access_token: 'xoxe-3', refresh_token: 'refresh-3' });
    await expect(tell(room.channel, task, 'session_started')).rejects.toMatchObject({
      code: 'CHANNEL_REFUSED',
    });
    await room.workspaces.save('T1', { access_token: 'xoxb-test' });
  });

  it('waits for its turn in a busy channel (L11)', async () => {
    const channel = room.restarted({ paceMs: 60_000, burst: 1 });
    const [first, second] = [aSlackTask(room), aSlackTask(room)];
    expect(await tell(channel, first, 'task_created')).toMatchObject({ kind: 'sent' });
    const answer = await tell(channel, second, 'task_created');
    expect(answer).toMatchObject({ kind: 'postponed' });
    expect(answer.kind === 'postponed' && answer.untilMs).toBeGreaterThan(Date.now());
    expect(texts()).toHaveLength(1);
  });
});
