import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../src/api/client.ts';
import { type GitHubFake, startGitHub } from '../fakes/github/github.ts';
import type { Issue, Repo } from '../fakes/github/world.ts';
import { isRunning } from '../fixtures/runner.ts';
import { type RunningPlatform, startUp } from './platform.ts';

/** From a mention to a pull request, and from a review to another round, through the whole platform. */

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bgagent-github-channel-')));
const SECRET = 'a secret that both sides know';
const PERSON = { id: 583_231, login: 'octocat', type: 'User' };
let github: GitHubFake;
let platform: RunningPlatform;
let hello: Repo;
let client: ReturnType<typeof createClient>;

beforeAll(async () => {
  github = await startGitHub();
  hello = github.addRepo('octo/hello', { collaborators: { octocat: 'write' } });
  platform = await startUp(join(folder, 'data'), {
    BGAGENT_SANDBOX: 'off',
    BGAGENT_GITHUB_API_URL: github.apiUrl,
    BGAGENT_SECRET_GITHUB_TOKEN: github.addToken(),
    BGAGENT_SECRET_GITHUB_WEBHOOK_SECRET: SECRET,
  });
  client = createClient({ apiUrl: platform.apiUrl, apiKey: platform.apiKey });
  await client.putRepo('octo/hello', { agent: 'command', agent_command: 'date +%N >> clock.txt' });
});
afterAll(async () => {
  await platform.end('SIGTERM');
  await github.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

let deliveries = 0;
async function post(event: string, payload: object): Promise<string> {
  const body = JSON.stringify({ repository: { full_name: 'octo/hello' }, sender: PERSON, ...payload });
  const response = await fetch(`${platform.apiUrl}/v1/github/webhook`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': `delivery-${++deliveries}`,
      'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
    },
    body,
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  const { message } = JSON.parse(await response.text());
  return String(message);
}

const say = (issue: Issue, body: string): Promise<string> =>
  post('issue_comment', {
    action: 'created',
    issue: { number: issue.number, state: 'open' },
    comment: { body, user: PERSON },
  });
const pulls = (): Issue[] => [...hello.issues.values()].filter(({ pull }) => pull !== null);
const ended = async (message: string) => {
  const [, taskId = ''] = /^task (\w+)/.exec(message) ?? [];
  return vi.waitFor(
    async () => {
      const task = await client.getTask(taskId);
      expect(task.completed_at).not.toBeNull();
      return task;
    },
    { timeout: 60_000, interval: 100 },
  );
};

describe('GitHub', { timeout: 120_000 }, () => {
  it('links an account, makes a pull request of a mention, tells it, and follows a review up', async () => {
    const issue = github.addIssue(hello, { title: 'The clock stands still' });
    expect(await say(issue, '@bgagent mend it')).toContain('linked to no user');

    const { code } = await client.createLinkCode('github');
    expect(await say(issue, `@bgagent link ${code}`)).toContain('linked to');
    expect(await say(issue, `@bgagent link ${code}`)).toContain('not valid');

    const task = await ended(await say(issue, '@bgagent mend it'));
    expect(task).toMatchObject({ status: 'COMPLETED', channel_source: 'github', issue_number: issue.number });
    const [pull, ...more] = pulls();
    expect(more).toEqual([]);
    await vi.waitFor(
      () => {
        const told = hello.issues
          .get(issue.number)
          ?.comments.filter(({ body }) => body.includes(task.task_id));
        expect(told?.map(({ body }) => body)).toEqual([expect.stringContaining('| Status | COMPLETED |')]);
        expect(told?.[0]?.body).toContain(task.pr_url);
      },
      { timeout: 30_000, interval: 100 },
    );

    const before = github.head(hello, task.branch_name ?? '');
    const round = await ended(
      await post('pull_request_review', {
        action: 'submitted',
        review: { state: 'changes_requested', body: 'No.', html_url: 'https://x.example/1', user: PERSON },
        pull_request: {
          number: pull?.number,
          state: 'open',
          head: { ref: task.branch_name, repo: { full_name: 'octo/hello' } },
        },
      }),
    );
    expect(round).toMatchObject({ status: 'COMPLETED', pr_number: pull?.number, user_id: task.user_id });
    expect(github.head(hello, task.branch_name ?? '')).not.toBe(before);
    expect(pulls()).toHaveLength(1);
    expect(github.takeViolations()).toEqual([]);
  });

  it('ends a task on a word in its issue: the agent is gone, and the comment says so', async () => {
    const mark = `sleep 7${process.pid}`;
    await client.putRepo('octo/hello', { agent_command: `echo half > half.txt; ${mark}` });
    const issue = github.addIssue(hello, { title: 'Too large' });
    const asked = await say(issue, '@bgagent do all of it');
    await vi.waitFor(() => expect(isRunning(mark)).toBe(true), { timeout: 60_000, interval: 50 });
    expect(await say(issue, '@bgagent cancel')).toContain('cancelled');
    expect(await ended(asked)).toMatchObject({ status: 'CANCELLED' });
    expect(isRunning(mark)).toBe(false);
    await vi.waitFor(
      () => expect(hello.issues.get(issue.number)?.comments.at(-1)?.body).toContain('| Status | CANCELLED |'),
      { timeout: 30_000, interval: 100 },
    );
  });

  it('refuses what is not signed by it', async () => {
    const body = readFileSync(join(import.meta.dirname, '../fixtures/github/issue_comment.created.json'));
    const response = await fetch(`${platform.apiUrl}/v1/github/webhook`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'issue_comment',
        'x-github-delivery': 'forged',
        'x-hub-signature-256': `sha256=${'0'.repeat(64)}`,
      },
      body,
    });
    expect(response.status).toBe(401);
  });
});
