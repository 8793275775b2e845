import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { channelContract } from '../../../test/contracts/channel.contract.ts';
import { newTaskId } from '../../../test/contracts/stores.contract.ts';
import { type MailFault, type MailServer, startMailServer } from '../../../test/fakes/mail-server.ts';
import { metadataOf } from '../../../test/fixtures/channel-events.ts';
import { anEventOf, tell } from '../../../test/fixtures/slack.ts';
import { aTask } from '../../../test/fixtures/task.ts';
import { openDatabase } from '../../sqlite/open.ts';
import { createSqliteStores, storeMigrations } from '../../stores/sqlite/stores.ts';
import type { Channel } from '../channel.ts';
import { createEmailChannel } from './email.ts';
import { RENDERERS } from './render.ts';
import { createSmtpTransport } from './smtp.ts';

const FAULTS = {
  refuse: { at: 'rcpt', code: 550, message: 'no such user' },
  fail: { at: 'data', code: 451, message: 'try later' },
  limit: { at: 'rcpt', code: 450, message: 'slow down' },
  'lose-answer': { at: 'data', kind: 'accept-and-drop' },
} as const satisfies Record<string, MailFault>;

interface Room {
  server: MailServer;
  channel: Channel;
  logged: Record<string, unknown>[];
  /** The channel with other settings. */
  with(options: { url?: string | null; from?: string | null; secrets?: Record<string, string> }): Channel;
  close(): Promise<void>;
}

async function createRoom(login?: { user: string; pass: string }): Promise<Room> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-email-'));
  const server = await startMailServer(login ? { login } : {});
  const database = await openDatabase({ file: join(folder, 'test.db'), migrations: [storeMigrations] });
  const { messages } = createSqliteStores({ database, now: Date.now });
  const logged: Record<string, unknown>[] = [];
  const note = (fields: Record<string, unknown>): void => void logged.push(fields);
  const make: Room['with'] = ({ url = server.url, from = 'bgagent@example.com', secrets = {} }) =>
    createEmailChannel({
      messages,
      from,
      to: ['team@example.com'],
      now: Date.now,
      log: { debug: note, info: note, warn: note, error: note },
      transport: createSmtpTransport({
        url,
        timeoutMs: 2_000,
        secrets: { get: async (name) => secrets[name] },
      }),
    });
  return {
    server,
    logged,
    with: make,
    channel: make({}),
    async close() {
      await server.close();
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
}

channelContract({
  name: 'email',
  create: async () => {
    const room = await createRoom();
    return {
      channel: room.channel,
      task: (task_id) => aTask({ task_id }),
      visible: async (taskId) => {
        // Receivers drop a second mail with the same Message-ID.
        const mails = room.server.mails.filter(({ parts }) => parts[0]?.includes(taskId));
        return [
          ...new Map(mails.map((mail) => [mail.headers.get('message-id'), mail.parts.join()])).values(),
        ];
      },
      fault: (...faults) => room.server.fault(...faults.map((fault) => FAULTS[fault])),
      close: room.close,
    };
  },
  skip: [{ reason: 'a mail server can’t say how long to wait', tests: ['passes on how long to wait'] }],
});

describe('email (M1)', () => {
  let room: Room;
  beforeAll(async () => {
    room = await createRoom();
  });
  afterAll(() => room.close());

  it('hears by default of ends and decisions (F6)', () => {
    expect([...room.channel.defaults].sort()).toEqual([
      'approval_requested',
      'task_completed',
      'task_failed',
      'task_timed_out',
    ]);
  });

  it('sends text and HTML, in a thread a task', async () => {
    const task = aTask({
      task_id: newTaskId(),
      repo: 'octo/hello',
      pr_url: 'https://example.com/octo/hello/pull/7',
      cost_usd: 0.4,
      outcome_summary: 'Added a greeting.',
    });
    await tell(room.channel, task, 'approval_requested');
    await tell(room.channel, task, 'task_completed');
    const [first, second] = room.server.mails.slice(-2);
    expect(second?.to).toEqual(['team@example.com']);
    expect(second?.headers.get('subject')).toBe('Done: [bgagent] octo/hello: Add a greeting');
    expect(second?.parts[0]).toMatch(
      /Added a greeting\.[\s\S]*Pull request: https:\/\/example.com\/octo\/hello\/pull\/7[\s\S]*Cost: \$0.40/,
    );
    expect(second?.parts[1]).toContain('<a href="https://example.com/octo/hello/pull/7">Pull request</a>');
    expect(second?.headers.get('references')).toMatch(/^<[0-9a-f]{32}@example.com>$/);
    expect(second?.headers.get('references')).toBe(first?.headers.get('references'));
    expect(second?.headers.get('message-id')).not.toBe(first?.headers.get('message-id'));
    expect(second?.headers.get('auto-submitted')).toBe('auto-generated');
  });

  it('keeps line ends out of headers and markup out of HTML', async () => {
    const hostile =
      'x\r\nBcc: victim@example.com\r\n\r\n<script>alert(1)</script> <img src=x onerror=y> @everyone';
    const task = aTask({
      task_id: newTaskId(),
      repo: `octo/[a](javascript:b)\r\nTo: all@example.com`,
      task_description: hostile,
      pr_url: 'javascript:alert(1)',
      compare_url: 'https://example.com/"onmouseover="x',
    });
    const metadata = { ...metadataOf('task_failed'), error_message: hostile, remedy: hostile };
    const event = anEventOf(task, 'task_failed', metadata);
    await tell(room.channel, task, 'task_failed', event);
    const mail = room.server.mails.at(-1);
    expect([mail?.headers.get('bcc'), mail?.to, mail?.headers.get('to')]).toEqual([
      undefined,
      ['team@example.com'],
      'team@example.com',
    ]);
    expect(mail?.parts[1]).not.toMatch(/<script|<img|href="javascript/);
    expect(mail?.parts[1]).toContain('&lt;script&gt;');
    const completed = RENDERERS.task_completed(event, task);
    expect(completed.html).not.toMatch(/"onmouseover=/);
  });

  it('cuts what is endless', async () => {
    const task = aTask({
      task_id: newTaskId(),
      repo: 'r'.repeat(5_000),
      task_description: 'd'.repeat(10_000),
    });
    const mail = RENDERERS.task_failed(
      anEventOf(task, 'task_failed', { error_message: '&'.repeat(40_000) }),
      task,
    );
    expect(mail.subject.length).toBeLessThan(200);
    expect(mail.text.length).toBeLessThan(10_000);
    expect(mail.text).toContain('&…');
  });

  it.each<[MailFault, string]>([
    [{ at: 'rcpt', code: 550, message: 'no such user' }, 'CHANNEL_REFUSED'],
    [{ at: 'rcpt', code: 553, message: 'bad address' }, 'CHANNEL_REFUSED'],
    [{ at: 'data', code: 554, message: 'looks like spam' }, 'CHANNEL_REFUSED'],
    [{ at: 'rcpt', code: 450, message: 'greylisted' }, 'CHANNEL_UNAVAILABLE'],
    [{ at: 'rcpt', code: 452, message: 'too many recipients' }, 'CHANNEL_UNAVAILABLE'],
    [{ at: 'data', code: 421, message: 'shutting down' }, 'CHANNEL_UNAVAILABLE'],
    [{ at: 'data', kind: 'accept-and-drop' }, 'CHANNEL_UNAVAILABLE'],
  ])('takes %j for %s', async (fault, code) => {
    room.server.fault(fault);
    await expect(tell(room.channel, aTask({ task_id: newTaskId() }), 'task_failed')).rejects.toMatchObject({
      code,
    });
  });

  it('tries again when the connection is refused', async () => {
    const closed = await closedPort();
    const channel = room.with({ url: `smtp://127.0.0.1:${closed}` });
    await expect(tell(channel, aTask({ task_id: newTaskId() }), 'task_failed')).rejects.toMatchObject({
      code: 'CHANNEL_UNAVAILABLE',
    });
  });

  it('says which setting is missing', async () => {
    for (const [options, setting] of [
      [{ url: null }, 'smtp_url'],
      [{ from: null }, 'email_from'],
    ] as const)
      await expect(
        tell(room.with(options), aTask({ task_id: newTaskId() }), 'task_failed'),
      ).rejects.toMatchObject({
        code: 'CHANNEL_NOT_CONFIGURED',
        message: expect.stringContaining(setting),
      });
  });

  it('goes to the repository’s addresses, and to nobody when they are none', () => {
    const task = aTask();
    expect(room.channel.wants(task, {})).toBe(true);
    expect(room.channel.wants(task, { to: ['a@example.com'] })).toBe(true);
    expect(room.channel.wants(task, { to: [] })).toBe(false);
  });

  it('logs in with the secrets, and a wrong password is no reason to give up', async () => {
    const guarded = await createRoom({ user: 'octo', pass: 'secret-1' });
    try {
      const channel = (pass: string) => guarded.with({ secrets: { SMTP_USER: 'octo', SMTP_PASSWORD: pass } });
      const task = aTask({ task_id: newTaskId() });
      const event = anEventOf(task, 'task_failed');
      await expect(tell(channel('wrong-1'), task, 'task_failed', event)).rejects.toMatchObject({
        code: 'CHANNEL_UNAVAILABLE',
        message: expect.not.stringContaining('wrong-1'),
      });
      await tell(channel('secret-1'), task, 'task_failed', event);
      expect([guarded.server.users, guarded.server.mails.length]).toEqual([['octo'], 1]);
    } finally {
      await guarded.close();
    }
  });
});

/** A port at which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  return typeof address === 'object' && address ? address.port : 1;
}
