import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCliRunner } from '../fixtures/cli.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { type RunningPlatform, startUp } from './platform.ts';

/** The commands, as people and scripts use them, against a platform that runs. */

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bgagent-cli-')));
const dataDir = join(folder, 'data');
let platform: RunningPlatform;
let repo: string;

beforeAll(async () => {
  repo = bareRepo(folder);
  platform = await startUp(dataDir, {
    BGAGENT_SANDBOX: 'off',
    BGAGENT_CANCEL_GRACE_S: '1',
    BGAGENT_DEFAULT_AGENT_COMMAND: 'echo done > done.txt',
  });
});

afterAll(async () => {
  await platform.end('SIGTERM');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const { bgagent, json } = createCliRunner(dataDir);

describe('submit, watch and what follows', () => {
  it('shows a task from its first event to its end, and how to fetch the branch', async () => {
    const { exit, out } = await bgagent(['submit', '--repo', repo, '--task', 'Write done.txt', '--wait']);
    expect(out).toMatch(
      /submitted[\s\S]*admitted[\s\S]*clone[\s\S]*agent[\s\S]*pushed[\s\S]*COMPLETED {2}changes/,
    );
    expect(exit).toBe(0);
    const [, fetch = ''] = /fetch it\s+(git fetch .*)/.exec(out) ?? [];
    const clone = join(folder, 'clone');
    git(folder, 'clone', '--quiet', repo, clone);
    git(clone, ...fetch.split(' ').slice(1));
    expect(git(clone, 'show', 'FETCH_HEAD:done.txt')).toBe('done');
  });

  it('prints JSON Lines while it watches: events, and the task at the end', async () => {
    const { exit, out } = await bgagent(['watch', 'latest', '--output', 'json']);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(exit).toBe(0);
    expect(lines.at(0)).toMatchObject({ event_type: 'task_created' });
    expect(lines.at(-2)).toMatchObject({ event_type: 'task_completed' });
    expect(lines.at(-1)).toMatchObject({ status: 'COMPLETED', outcome: 'changes' });
  });

  it('shows status, list, events, logs and diff of it, for people and as one document', async () => {
    const status = await json('status', 'latest');
    const id: string = status.value.task_id;
    expect(status.value).toMatchObject({ status: 'COMPLETED', repo });
    expect((await bgagent(['status', id.slice(0, 20)])).out).toContain(id);
    expect((await json('list')).value).toMatchObject([{ task_id: id }]);
    expect((await bgagent(['list', '--status', 'completed'])).out).toContain(id);
    expect((await json('events', 'latest', '--all')).value.at(-1)).toMatchObject({
      event_type: 'task_completed',
    });
    expect((await bgagent(['events', 'latest'])).out).toContain('task_completed');
    expect((await json('logs', 'latest')).value.task_id).toBe(id);
    expect((await bgagent(['diff', 'latest'])).out).toContain('+done\n');
    expect((await json('diff', 'latest')).value.diff).toContain('+done\n');
  });

  it('neutralises what the agent printed, unless it is wanted raw', async () => {
    await json(
      'repo',
      'set',
      repo,
      '--agent-command',
      "printf '\\033[2Jhello\\033]0;title\\007\\n'; echo x > x",
    );
    await bgagent(['submit', '--repo', repo, '--task', 'Print', '--wait']);
    expect((await bgagent(['logs', 'latest'])).out).toMatch(/^hello$/m);
    expect((await bgagent(['logs', 'latest', '--raw'])).out).toContain('\u001b[2Jhello');
  });

  it('ends with 1 when the task fails, and says what to do', async () => {
    await json('repo', 'set', repo, '--agent-command', 'exit 3');
    const { exit, out } = await bgagent(['submit', '--repo', repo, '--task', 'Fail', '--wait']);
    expect(exit).toBe(1);
    expect(out).toMatch(/FAILED[\s\S]*problem[\s\S]*to do/);
  });

  it('is the same task under the same key', async () => {
    await json('repo', 'set', repo, '--agent-command', 'echo again > again.txt');
    const submit = ['submit', '--repo', repo, '--task', 'Once', '--idempotency-key', 'k1'];
    const [first, second] = [await json(...submit), await json(...submit)];
    expect(second.value.task_id).toBe(first.value.task_id);
    expect(second.err).toContain('was made before');
    await bgagent(['watch', first.value.task_id]);
  });

  it('retries an ended task as a new one', async () => {
    const ended = await json('status', 'latest');
    const { exit, out } = await bgagent(['retry', 'latest', '--wait', '--output', 'json']);
    expect(exit).toBe(0);
    expect(JSON.parse(out.trim().split('\n').at(-1) ?? '')).toMatchObject({ retry_of: ended.value.task_id });
  });

  it('leaves the task alone when watching is interrupted, then cancels it', async () => {
    await json('repo', 'set', repo, '--agent-command', 'echo started; sleep 60');
    const interrupt = new AbortController();
    const watching = await bgagent(['submit', '--repo', repo, '--task', 'Sleep', '--wait'], {
      signal: interrupt.signal,
      onOutput: (text) => {
        if (text.includes('at work')) interrupt.abort(new DOMException('stopped', 'AbortError'));
      },
    });
    expect(watching.exit).toBe(130);
    expect(watching.err).toMatch(/the task goes on[\s\S]*bgagent cancel/);
    expect((await json('status', 'latest')).value.status).toBe('RUNNING');
    const cancelled = await json('cancel', 'latest');
    expect(cancelled).toMatchObject({ exit: 0, value: { status: expect.any(String) } });
    const { exit } = await bgagent(['watch', 'latest']);
    expect(exit).toBe(1);
    expect((await json('status', 'latest')).value.status).toBe('CANCELLED');
    expect(await json('cancel', 'latest')).toMatchObject({
      exit: 1,
      value: { error: { code: 'TASK_ALREADY_TERMINAL' } },
    });
  });
});

describe('administration', () => {
  it('onboards, shows, changes and removes a repository', async () => {
    expect(
      (await json('repo', 'add', 'octo/hello', '--max-turns', '7', '--build', 'npm test')).value,
    ).toMatchObject({
      repo: 'octo/hello',
      max_turns: 7,
      build_command: 'npm test',
    });
    await json('repo', 'set', 'octo/hello', '--unset', 'max_turns', '--egress', 'a.example,b.example');
    await json('repo', 'set', 'octo/hello', '--test', 'npm run slow');
    expect((await json('repo', 'show', 'octo/hello')).value).toMatchObject({
      max_turns: null,
      build_command: 'npm test',
      test_command: 'npm run slow',
      egress_allowlist: ['a.example', 'b.example'],
    });
    expect((await bgagent(['repo', 'list'])).out).toContain('octo/hello');
    expect((await json('repo', 'remove', 'octo/hello')).value.status).toBe('removed');
    const refused = await bgagent(['repo', 'set', 'octo/hello', '--unset', 'colour']);
    expect(refused).toMatchObject({ exit: 2, err: expect.stringContaining('no setting "colour"') });
  });

  it('makes a key that works until it is revoked', async () => {
    const { value } = await json('api-key', 'create', '--name', 'ci', '--scopes', 'tasks:read');
    const asKey = ['--api-key', value.key];
    expect((await bgagent([...asKey, 'list'])).exit).toBe(0);
    expect((await bgagent([...asKey, 'submit', '--repo', repo, '--task', 'No'])).exit).toBe(4);
    expect((await bgagent(['api-key', 'list'])).out).toContain(value.key_id);
    await json('api-key', 'revoke', value.key_id);
    expect((await bgagent([...asKey, 'list'])).exit).toBe(4);
  });
});

describe('this machine', () => {
  it('is found healthy, and the platform answering', async () => {
    const { value } = await json('doctor');
    const states = Object.fromEntries(
      value.checks.map(({ name, state }: { name: string; state: string }) => [name, state]),
    );
    expect(states).toMatchObject({ node: 'ok', git: 'ok', database: 'ok', platform: 'ok', mirrors: 'ok' });
  });

  it('keeps settings in its file, refuses wrong ones, and says where each comes from', async () => {
    const elsewhere = ['--data-dir', join(folder, 'other')];
    await json('configure', ...elsewhere, '--set', 'local_capacity=3', '--set', 'sandbox_egress=[a.example]');
    const wrong = await bgagent(['configure', ...elsewhere, '--set', 'local_capacity=none']);
    expect(wrong).toMatchObject({ exit: 2, err: expect.stringContaining('local_capacity') });
    const { value } = await json('configure', ...elsewhere, '--show');
    expect(value).toContainEqual({ name: 'local_capacity', value: 3, source: 'config.yaml' });
    expect(value).toContainEqual({ name: 'port', value: 7788, source: 'default' });
    await json('configure', ...elsewhere, '--unset', 'local_capacity');
    expect((await json('configure', ...elsewhere, '--show')).value).toContainEqual({
      name: 'local_capacity',
      value: null,
      source: 'default',
    });
  });

  it('remembers another platform, readable by its owner only', async () => {
    const other = join(folder, 'remembered');
    const { exit } = await bgagent([
      'configure',
      '--data-dir',
      other,
      '--api-url',
      platform.apiUrl,
      '--api-key',
      platform.apiKey,
    ]);
    expect(exit).toBe(0);
    expect(statSync(join(other, 'client.json')).mode & 0o777).toBe(0o600);
    expect((await bgagent(['list', '--data-dir', other])).exit).toBe(0);
  });
});

describe('what goes wrong', () => {
  it.each([
    ['no such command', ['frobnicate'], 2],
    ['an unknown option', ['list', '--colour'], 2],
    ['a missing argument', ['status'], 2],
    ['nothing to do', ['submit', '--repo', '.'], 2],
    ['a number that is none', ['list', '--limit', 'many'], 2],
    ['an id that is none', ['status', '../etc'], 2],
    ['a task that is not there', ['status', '01ARZ3NDEKTSV4RRFFQ69G5FAV'], 1],
    ['a repository that is not onboarded', ['submit', '--repo', 'octo/other', '--task', 'x'], 1],
    ['a platform that is not there', ['list', '--api-url', 'http://127.0.0.1:9', '--api-key', 'bgak_x'], 3],
    ['a key that is none', ['list', '--api-key', 'bgak_x'], 4],
    ['no platform known', ['list', '--data-dir', '/nonexistent'], 3],
  ])('is told apart by its exit code, with what to do: %s', async (_, args, exit) => {
    const ran = await bgagent(args);
    expect(ran.exit).toBe(exit);
    expect(ran.out).toBe('');
    expect(ran.err).toMatch(/^error: .+\n(.|\n)*(to do: .+|--help)/);
    const asJson = await json(...args);
    expect(asJson.exit).toBe(exit);
    expect(asJson.value.error).toMatchObject({ code: expect.any(String), message: expect.any(String) });
  });

  it('says more when asked to', async () => {
    const args = ['status', '01ARZ3NDEKTSV4RRFFQ69G5FAV'];
    expect((await bgagent(args)).err).not.toContain('request');
    expect((await bgagent([...args, '--verbose'])).err).toMatch(
      /code TASK_NOT_FOUND, status 404, request [0-9A-Z]{26}/,
    );
  });

  it('never sends the key of this machine to another address', async () => {
    const { exit, err } = await bgagent(['list', '--api-url', 'http://127.0.0.1:9']);
    expect({ exit, err }).toMatchObject({
      exit: 4,
      err: expect.stringContaining('no API key for http://127.0.0.1:9'),
    });
  });

  it('names a variable whose value can not be used', async () => {
    const { exit, err } = await bgagent(['list'], { variables: { BGAGENT_PORT: 'many' } });
    expect(exit).toBe(2);
    expect(err).toContain('BGAGENT_PORT');
  });
});

it('keeps the file with the key to its owner', () => {
  expect(statSync(join(dataDir, 'client.json')).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(join(dataDir, 'client.json'), 'utf8'))).toEqual({
    api_url: platform.apiUrl,
    api_key: platform.apiKey,
  });
});
