import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Button } from '../../src/channels/slack/blocks.ts';
import { type SlackServer, startSlackServer } from '../fakes/slack-server.ts';
import { bareRepo } from '../fixtures/git-repo.ts';
import { isRunning } from '../fixtures/runner.ts';
import { aCommand, aMention, aPress, type SignedRequest } from '../fixtures/slack-requests.ts';
import { call, type RunningPlatform, startUp } from './platform.ts';

const SECRET = 'signing-secret-value';

let folder: string;
let slack: SlackServer;
let platform: RunningPlatform;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgagent-e2e-slack-'));
  slack = await startSlackServer({ channels: ['C1'] });
  platform = await startUp(join(folder, 'data'), {
    BGAGENT_SANDBOX: 'off',
    BGAGENT_LOG_LEVEL: 'warn',
    BGAGENT_SLACK_API_URL: slack.apiUrl,
    BGAGENT_SECRET_SLACK_SIGNING_SECRET: SECRET,
  });
  await writeFile(
    join(folder, 'data', 'secrets.json'),
    JSON.stringify({
      ...JSON.parse(await readFile(join(folder, 'data', 'secrets.json'), 'utf8')),
      'bgagent/slack/T1': 'xoxb-test',
    }),
    { mode: 0o600 },
  );
});
afterEach(async () => {
  await platform.end('SIGTERM');
  await slack.close();
  await rm(folder, { recursive: true });
});

const post = (kind: string, { body, headers }: SignedRequest) =>
  fetch(`${platform.apiUrl}/v1/slack/${kind}`, { method: 'POST', body, headers });

async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 60_000; ; await delay(10)) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what} did not come:\n${platform.log()}`);
  }
}

const messageLike = (pattern: RegExp) =>
  until(`a message like ${pattern}`, () => slack.visible().find(({ text }) => pattern.test(text)));

const buttonsOf = (blocks: unknown[]): Button[] =>
  (blocks as { type: string; elements?: Button[] }[]).flatMap(({ type, elements = [] }) =>
    type === 'actions' ? elements : [],
  );

it('a mention becomes a task, its thread changes, and Cancel ends the agent’s process (L10, O6)', {
  timeout: 180_000,
}, async () => {
  const repo = bareRepo(folder);
  const sleep = `sleep ${600 + Math.random()}`;
  await call(platform, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, {
    compute_type: 'local',
    agent: 'command',
    agent_command: sleep,
  });

  const ts = slack.say('C1', 'please');
  const ask = { text: `${repo} Wait for me`, ts, eventId: 'Ev1' };
  expect((await post('events', aMention(SECRET, ask))).status).toBe(200);
  await until('an answer for a stranger', () => slack.ephemeral[0]);

  const { data } = await call<{ code: string }>(platform, 'POST', '/v1/account-links', { provider: 'slack' });
  const linked = await post('commands', aCommand(SECRET, `link ${data.code}`, slack.responseUrl));
  expect(await linked.text()).toContain('`local`');

  await post('events', aMention(SECRET, { ...ask, eventId: 'Ev2' }));
  const started = await messageLike(/Work has started/);
  expect(started.thread_ts).toBe(ts);
  const [cancel] = buttonsOf(started.blocks);
  expect(cancel).toMatchObject({ action_id: 'bgagent_cancel', style: 'danger' });
  await until('the agent', () => (isRunning(sleep) ? true : undefined));

  const press = { actionId: 'bgagent_cancel', value: cancel?.value ?? '', responseUrl: slack.responseUrl };
  await post('interactions', aPress(SECRET, { ...press, user: 'U9' }));
  await until('the refusal', () => slack.responses.find(({ text }) => /do not know/.test(String(text))));
  expect(isRunning(sleep)).toBe(true);
  expect((await post('interactions', aPress(SECRET, press))).status).toBe(200);
  await until('the end of the process', () => (isRunning(sleep) ? undefined : true));
  await messageLike(/Cancelled/);
  await until('the reaction', () =>
    slack.messages.find((one) => one.ts === ts && one.reactions.join() === 'no_entry_sign'),
  );
  await until('the clean-up', () => (slack.visible().length === 1 ? true : undefined));
  await until('the answer to the button', () =>
    slack.responses.find(({ text }) => /cancelled/.test(String(text))),
  );

  const sent = await until('the ledger', async () => {
    const { data: rows } = await call<{ type: string }[]>(platform, 'GET', '/v1/deliveries?state=sent');
    return rows.length === 3 ? rows.map(({ type }) => type) : undefined;
  });
  expect(sent).toEqual(['task_cancelled', 'session_started', 'task_created']);
});
