import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCliRunner } from '../fixtures/cli.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { type RunningPlatform, startUp } from './platform.ts';

/** Commands for everything of the HTTP contract that isn't the life of a task, against a platform that runs. */

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bgagent-cli-contract-')));
const dataDir = join(folder, 'data');
const { bgagent, json } = createCliRunner(dataDir);
let platform: RunningPlatform;
let repo: string;

const up = (): Promise<RunningPlatform> =>
  startUp(dataDir, {
    BGAGENT_SANDBOX: 'off',
    BGAGENT_CANCEL_GRACE_S: '1',
    BGAGENT_HEARTBEAT_INTERVAL_S: '0.2',
    BGAGENT_DEFAULT_AGENT_COMMAND: 'echo done > done.txt',
  });

beforeAll(async () => {
  repo = bareRepo(folder);
  platform = await up();
});

afterAll(async () => {
  await platform.end('SIGTERM');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

describe('a nudge', () => {
  it('reaches the agent at work, from the command line to its file, and is in the history', async () => {
    const wait = 'until [ -s "$BGAGENT_NUDGE_FILE" ]; do sleep 0.05; done; cp "$BGAGENT_NUDGE_FILE" said.txt';
    await json('repo', 'set', repo, '--agent-command', wait);
    const { value: task } = await json('submit', '--repo', repo, '--task', 'Wait for a word');
    const { exit, out } = await bgagent(['nudge', 'latest', 'More haste']);
    expect([exit, out]).toEqual([0, expect.stringContaining(`bgagent events ${task.task_id}`)]);
    expect((await bgagent(['watch', 'latest'])).exit).toBe(0);
    const { value } = await json('status', 'latest');
    expect(JSON.parse(git(repo, 'show', `${value.branch_name}:said.txt`))).toMatchObject({
      message: 'More haste',
    });
    const events = (await json('events', 'latest', '--all')).value.map(
      (event: { event_type: string }) => event.event_type,
    );
    expect(events).toEqual(expect.arrayContaining(['nudge_received', 'nudge_delivered']));
    const late = await bgagent(['nudge', 'latest', 'too late']);
    expect([late.exit, late.err]).toEqual([1, expect.stringContaining('has ended as COMPLETED')]);
    await json('repo', 'set', repo, '--unset', 'agent_command');
  });
});

describe('nudges', () => {
  it('are told once each, in order, also when the platform is killed in between', async () => {
    const wait =
      'until [ "$(cat "$BGAGENT_NUDGE_FILE" 2>/dev/null | wc -l)" -ge 2 ]; do sleep 0.05; done; cp "$BGAGENT_NUDGE_FILE" said.txt';
    await json('repo', 'set', repo, '--agent-command', wait);
    await json('submit', '--repo', repo, '--task', 'Wait for two words');
    await json('nudge', 'latest', 'one');
    await platform.end('SIGKILL');
    platform = await up();
    await json('nudge', 'latest', 'two');
    expect((await bgagent(['watch', 'latest'])).exit).toBe(0);
    const { value } = await json('status', 'latest');
    const lines = git(repo, 'show', `${value.branch_name}:said.txt`).split('\n');
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(['one', 'two']);
    await json('repo', 'set', repo, '--unset', 'agent_command');
  });
});

describe('a webhook', () => {
  it('is made, tried, used and revoked', async () => {
    const { value: made } = await json('webhook', 'create', '--name', 'ci');
    const secretFile = join(folder, 'secret');
    writeFileSync(secretFile, `${made.secret}\n`);
    const test = (...more: string[]) =>
      bgagent(['webhook', 'test', made.webhook_id, '--secret-file', secretFile, ...more]);
    expect(await test()).toMatchObject({ exit: 0, out: expect.stringContaining('accepted') });
    const submitted = await test('--repo', repo, '--task', 'By a webhook', '--output', 'json');
    expect(JSON.parse(submitted.out)).toMatchObject({
      channel_source: 'webhook',
      task_description: 'By a webhook',
    });
    writeFileSync(secretFile, 'whsec_wrong');
    expect(await test()).toMatchObject({ exit: 4 });
    writeFileSync(secretFile, '\n');
    expect(await test()).toMatchObject({ exit: 2, err: expect.stringContaining('--secret-file') });
    expect((await bgagent(['webhook', 'list'])).out).toMatch(/ci .*active/);
    expect((await bgagent(['webhook', 'revoke', made.webhook_id])).exit).toBe(0);
    expect((await bgagent(['webhook', 'revoke', made.webhook_id])).exit).toBe(1);
    expect((await bgagent(['webhook', 'list'])).out).toMatch(/ci .*revoked/);
  });
});

describe('what there is to see', () => {
  it('is nothing to decide and no policy, in this version', async () => {
    expect(await bgagent(['pending'])).toMatchObject({ exit: 0, out: 'Nothing waits for a person.\n' });
    expect((await json('pending')).value).toEqual([]);
    expect((await bgagent(['fleet'])).out).toMatch(/^active +\d+ of 1000\n.*\nqueued .*\nbackends +local/);
    expect((await json('fleet')).value).toMatchObject({ instances: [], queue: { length: 0 } });
    await json('repo', 'add', repo);
    expect((await json('policies', 'list', '--repo', repo)).value).toEqual({
      repo_id: repo,
      policies: { hard: [], soft: [] },
    });
  });

  it('is a whole task in one document', async () => {
    const { value } = await json('replay', 'latest');
    expect(value).toMatchObject({ events_truncation: null, task: { task_id: value.events[0].task_id } });
    expect(JSON.parse((await bgagent(['replay', 'latest'])).out)).toMatchObject({ events_truncation: null });
  });
});

describe('a key', () => {
  it('ends when it is told to: in days, or at a time', async () => {
    const until = async (when: string): Promise<string> =>
      (await json('api-key', 'create', '--name', 'x', '--scopes', 'webhooks:invoke', '--expires', when)).value
        .expires_at;
    expect(await until('2099-12-31')).toBe('2099-12-31T00:00:00.000Z');
    const days = (Date.parse(await until('90d')) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(89.9);
    expect(days).toBeLessThanOrEqual(90);
    const wrong = await bgagent(['api-key', 'create', '--name', 'x', '--expires', 'soon']);
    expect([wrong.exit, wrong.err]).toEqual([2, expect.stringContaining('90d')]);
  });
});

describe('an exit code', () => {
  it('is 2 for what the command line itself refuses, 1 for what the platform refuses', async () => {
    expect((await bgagent(['submit', '--repo', repo])).exit).toBe(2);
    expect((await bgagent(['submit', '--repo', repo, '--task', 'x', '--max-turns', '501'])).exit).toBe(1);
    expect((await bgagent(['nudge', 'latest', 'x'.repeat(2_001)])).exit).toBe(1);
    expect((await bgagent(['api-key', 'create', '--name', 'x', '--expires', '2020-01-01'])).exit).toBe(1);
  });
});

describe('a hint', () => {
  // As npm says it up to version 10, and since.
  it.each(['run-script', 'run'])(
    'can be typed as it stands, also from a clone (npm %s)',
    async (npm_command) => {
      const variables = { npm_command, npm_package_name: 'bgagent' };
      const submitted = await bgagent(['submit', '--repo', repo, '--task', 'x'], { variables });
      expect(submitted.out).toMatch(/Follow it: npm run --silent bgagent -- watch [0-9A-Z]{26}/);
      const unknown = await bgagent(['status', '01ARZ3NDEKTSV4RRFFQ69G5FAV'], { variables });
      expect(unknown.err).toContain('`npm run --silent bgagent -- list`');
      expect((await bgagent(['status', '01ARZ3NDEKTSV4RRFFQ69G5FAV'])).err).toContain('`bgagent list`');
    },
  );
});
