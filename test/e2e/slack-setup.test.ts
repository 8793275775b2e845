import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SCOPES } from '../../src/channels/slack/manifest.ts';
import { startMailServer } from '../fakes/mail-server.ts';
import { type SlackServer, startSlackServer } from '../fakes/slack-server.ts';
import { bareRepo } from '../fixtures/git-repo.ts';
import { aCommand, aMention } from '../fixtures/slack-requests.ts';
import { call, type RunningPlatform, startUp } from './platform.ts';

const CLI = fileURLToPath(new URL('../../bin/bgagent.js', import.meta.url));
const SECRETS = {
  client_id: '123.456',
  client_secret: 'client-secret-value',
  signing_secret: 'signing-secret-value',
};

let folder: string;
let dataDir: string;
let slack: SlackServer;
let platform: RunningPlatform | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgagent-e2e-setup-'));
  dataDir = join(folder, 'data');
  slack = await startSlackServer({ channels: ['C1'] });
});
afterAll(async () => {
  await platform?.end('SIGTERM');
  await slack.close();
  await rm(folder, { recursive: true });
});

async function bgagent(
  args: string[],
  input = '',
): Promise<{ exit: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [CLI, ...args, '--data-dir', dataDir], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: folder, BGAGENT_SLACK_API_URL: slack.apiUrl },
  });
  child.stdin.end(input);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { exit: child.exitCode ?? (await new Promise((ended) => child.once('exit', ended))), out, err };
}

it('a workspace is connected by the printed steps, and what failed is tried again', {
  timeout: 120_000,
}, async () => {
  const refused = await bgagent(['slack', 'setup']);
  expect([refused.exit, refused.err]).toEqual([2, expect.stringContaining('--public-url')]);

  const setup = await bgagent(['slack', 'setup', '--public-url', 'https://bgagent.example.com/']);
  expect([setup.exit, setup.out]).toEqual([0, expect.stringContaining('From a manifest')]);
  const manifest = JSON.parse(await readFile(join(folder, 'slack-manifest.json'), 'utf8'));
  expect(manifest.settings.event_subscriptions.request_url).toBe(
    'https://bgagent.example.com/v1/slack/events',
  );
  expect(manifest.oauth_config.scopes.bot).toEqual(SCOPES);

  expect((await bgagent(['slack', 'connect'], 'nonsense')).exit).toBe(2);
  const wrong = await bgagent(['slack', 'connect'], JSON.stringify({ ...SECRETS, client_id: 'no id' }));
  expect([wrong.exit, wrong.err]).toEqual([2, expect.stringContaining('client_id: must be')]);
  const connected = await bgagent(['slack', 'connect', '--output', 'json'], JSON.stringify(SECRETS));
  const link = new URL(JSON.parse(connected.out).install_url);
  expect(link.origin + link.pathname).toBe('https://slack.com/oauth/v2/authorize');
  expect(link.searchParams.get('client_id')).toBe('123.456');
  const before = await bgagent(['slack', 'check']);
  expect([before.exit, before.out]).toEqual([1, expect.stringContaining('none has installed the app')]);

  const mail = await startMailServer();
  platform = await startUp(dataDir, {
    BGAGENT_SMTP_URL: mail.url,
    BGAGENT_EMAIL_FROM: 'bgagent@example.com',
    BGAGENT_EMAIL_TO: 'team@example.com',
    BGAGENT_SANDBOX: 'off',
    BGAGENT_LOG_LEVEL: 'silent',
    BGAGENT_SLACK_API_URL: slack.apiUrl,
    BGAGENT_DELIVERY_ATTEMPTS: '1',
    BGAGENT_DEFAULT_AGENT_COMMAND: 'true',
  });
  slack.grants.set('code-1', { ok: true, access_token: 'xoxb-installed', team: { id: 'T1', name: 'Octo' } });
  slack.tokens.set('xoxb-installed', [...SCOPES]);
  const state = link.searchParams.get('state') ?? '';
  const installed = await fetch(`${platform.apiUrl}/v1/slack/oauth/callback?code=code-1&state=${state}`);
  expect(await installed.text()).toContain('Installed');
  const after = await bgagent(['slack', 'check']);
  expect([after.out, after.exit]).toEqual([expect.stringContaining('workspace T1: Octo, as bgagent'), 0]);
  slack.tokens.set('xoxb-installed', ['chat:write']);
  expect((await bgagent(['slack', 'check'])).out).toContain('the token lacks app_mentions:read');

  const code = (await bgagent(['slack', 'link'])).out.trim().replace('/bgagent link ', '');
  const post = (kind: string, request: ReturnType<typeof aCommand>) =>
    fetch(`${platform?.apiUrl}/v1/slack/${kind}`, { method: 'POST', ...request });
  await post('commands', aCommand(SECRETS.signing_secret, `link ${code}`, slack.responseUrl));
  const repo = bareRepo(folder);
  const told = JSON.stringify({ slack: { events: ['task_created'] } });
  expect((await bgagent(['repo', 'add', repo, '--notifications', told])).exit).toBe(0);
  expect((await bgagent(['repo', 'set', repo, '--notifications', 'none'])).err).toContain(
    'must be a JSON object',
  );
  slack.fault('chat.postMessage', { kind: 'error', code: 'internal_error' });
  const ask = { text: `${repo} x`, ts: slack.say('C1', 'please'), eventId: 'Ev1' };
  await post('events', aMention(SECRETS.signing_secret, ask));

  const dead = async () =>
    JSON.parse((await bgagent(['deliveries', 'list', '--state', 'dead', '--output', 'json'])).out);
  let [lost] = await dead();
  while (!lost) [lost] = await dead();
  expect(lost).toMatchObject({
    channel: 'slack',
    type: 'task_created',
    failures: 1,
    note: expect.stringContaining('internal_error'),
  });
  expect((await bgagent(['deliveries', 'list'])).out).toContain('task_created');
  expect((await bgagent(['deliveries', 'replay'])).exit).toBe(2);
  expect((await bgagent(['deliveries', 'replay', lost.delivery_id])).out).toContain('tried again');
  while (!slack.visible().some(({ text: said }) => said.includes('Task accepted')))
    await new Promise((resolve) => setTimeout(resolve, 20));
  // The task has nothing to do, so it ends at once, and everybody hears of it.
  while (mail.mails.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(mail.mails[0]?.to).toEqual(['team@example.com']);
  await mail.close();
  const again = await bgagent(['deliveries', 'replay', lost.delivery_id]);
  expect(again.err).toContain('only failed and dead');
  const { status } = await call(platform, 'POST', '/v1/deliveries/nonsense/replay');
  expect(status).toBe(404);
});
