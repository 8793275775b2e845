import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GitHubFake, startGitHub } from '../../../test/fakes/github/github.ts';
import { githubRoom } from '../../../test/fixtures/github.ts';
import { aTask } from '../../../test/fixtures/task.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { Task } from '../../task/task.ts';
import type { Actor, InboundAnswer, InboundTask, TaskActions } from '../channel.ts';
import { createGitHubInbox } from './inbox.ts';

const SECRET = 'a secret that GitHub knows as well';
const OWNER = '01JD4Z5V7W8X9Y0Z1A2B3C4D5E';
const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../../test/fixtures/github', `${name}.json`), 'utf8');

interface Submitted {
  actor: Actor;
  request: InboundTask;
  key: string;
}

describe('the inbox of GitHub', () => {
  let github: GitHubFake;
  let submitted: Submitted[];
  let links: Map<number, Actor>;
  let under: Task[];
  let cancelled: string[];
  let fails: BgAgentError | undefined;
  let secret: string | undefined;
  let deliveries = 0;
  const octocat: Actor = { userId: 'octocat-here', scopes: ['tasks:write'] };

  beforeEach(async () => {
    github = await startGitHub();
    const hello = github.addRepo('octo/hello', { collaborators: { octocat: 'write', mona: 'read' } });
    for (let number = 1; number < 34; number += 1) github.addIssue(hello, { title: `Issue ${number}` });
    github.addPull(hello, { branch: `bgagent/${OWNER}/fix-the-clock`, files: { a: 'b' } });
    submitted = [];
    under = [];
    cancelled = [];
    fails = undefined;
    secret = SECRET;
    links = new Map([[583_231, octocat]]);
  });
  afterEach(() => github.close());

  /** Keeps keys as the API does: the same request finds its task, another one is refused. */
  const actions = (): TaskActions => {
    const notHere = async () => {
      throw new Error('not asked for here');
    };
    return {
      async submit(actor, request, key) {
        if (fails) throw fails;
        const earlier = submitted.find((one) => one.key === key && one.actor.userId === actor.userId);
        if (!earlier) submitted.push({ actor, request, key });
        else if (JSON.stringify(earlier.request) !== JSON.stringify(request))
          throw new BgAgentError('DUPLICATE_TASK', 'the key was used for another request');
        const task: Task = aTask({ repo: request.repo });
        return { task, created: !earlier };
      },
      recent: async ({ userId }) => under.filter(({ user_id }) => user_id === userId),
      async cancel(_actor, taskId) {
        cancelled.push(taskId);
        return aTask({ task_id: taskId });
      },
      retry: notHere,
      get: notHere,
    };
  };

  const receive = async (
    event: string,
    body: string,
    {
      delivery = `delivery-${++deliveries}`,
      signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
      kind = 'webhook',
      headers = {},
    }: { delivery?: string; signature?: string; kind?: string; headers?: Record<string, string> } = {},
  ): Promise<InboundAnswer & { refused: string | null }> => {
    const { forge } = githubRoom(github);
    const inbox = createGitHubInbox({
      webhookSecret: async () => secret,
      mention: 'bgagent',
      collaborationFor: () => forge.collaboration,
      actions: actions(),
      actorOf: async ({ id }) => links.get(id),
      ownerOf: async (taskId) =>
        taskId === OWNER ? { userId: 'owner', scopes: ['tasks:write'] } : undefined,
      async link(sender, code) {
        if (code !== 'GOOD-CODE') return undefined;
        links.set(sender.id, octocat);
        return octocat;
      },
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    const given: Record<string, string> = {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': delivery,
      'x-hub-signature-256': signature,
      ...headers,
    };
    const request = { method: 'POST', query: {}, header: (name: string) => given[name], body };
    try {
      return { ...(await inbox.receive(kind, request)), refused: null };
    } catch (error) {
      if (!(error instanceof BgAgentError)) throw error;
      return {
        body: JSON.stringify({ message: error.message }),
        contentType: 'application/json',
        refused: error.code,
      };
    }
  };
  const said = ({ body }: InboundAnswer): string => JSON.parse(body).message;
  const changed = (name: string, change: (payload: Record<string, never>) => object): string => {
    const payload = JSON.parse(fixture(name));
    return JSON.stringify({ ...payload, ...change(payload) });
  };

  it('makes a task of a mention, by the one who wrote it', async () => {
    expect(await receive('issue_comment', fixture('issue_comment.created'))).toMatchObject({ refused: null });
    expect(submitted).toMatchObject([
      {
        actor: octocat,
        request: {
          repo: 'octo/hello',
          issueNumber: 12,
          description: 'please fix the clock.',
          source: 'github',
        },
      },
    ]);
    const comments = github.repo('octo/hello').issues.get(12)?.comments ?? [];
    expect(comments.map(({ body }) => body)).toEqual([expect.stringContaining('bgagent has taken this on')]);
  });

  it('makes no second task of a delivery that comes again, or is replayed', async () => {
    const body = fixture('issue_comment.created');
    for (let n = 0; n < 3; n += 1) await receive('issue_comment', body, { delivery: 'the-same' });
    expect(submitted).toHaveLength(1);
  });

  it.each([
    ['a wrong signature', { signature: `sha256=${'0'.repeat(64)}` }],
    ['no signature', { signature: '' }],
    ['a signature of the older kind', { signature: 'sha1=abc' }],
  ])('takes nothing with %s', async (_, options) => {
    expect(await receive('issue_comment', fixture('issue_comment.created'), options)).toMatchObject({
      refused: 'UNAUTHORIZED',
    });
    expect(submitted).toEqual([]);
  });

  it('takes nothing while no secret is set, and says what to do', async () => {
    secret = undefined;
    const answer = await receive('issue_comment', fixture('issue_comment.created'));
    expect(answer.refused).toBe('CHANNEL_NOT_CONFIGURED');
    expect(said(answer)).toContain('github setup');
  });

  it('does nothing for people who may not push', async () => {
    const body = changed('issue_comment.created', () => ({ sender: { id: 7, login: 'mona', type: 'User' } }));
    expect(said(await receive('issue_comment', body))).toContain('mona may not push');
    expect(submitted).toEqual([]);
  });

  it('tells people who may, and are not linked, how to be: once, however often they ask', async () => {
    links.clear();
    for (let n = 0; n < 2; n += 1) await receive('issue_comment', fixture('issue_comment.created'));
    expect(submitted).toEqual([]);
    const comments = github.repo('octo/hello').issues.get(12)?.comments ?? [];
    expect(comments).toHaveLength(1);
    expect(comments[0]?.body).toContain('@bgagent link <code>');
  });

  it('links an account by a code, and tells', async () => {
    links.clear();
    const withCode = (code: string) =>
      changed('issue_comment.created', ({ comment }) => ({
        comment: { ...(comment as unknown as object), body: `@bgagent link ${code}` },
      }));
    expect(said(await receive('issue_comment', withCode('WRONG-CODE')))).toContain('not valid');
    expect(links.size).toBe(0);
    expect(said(await receive('issue_comment', withCode('GOOD-CODE')))).toContain('octocat-here');
    await receive('issue_comment', fixture('issue_comment.created'));
    expect(submitted).toHaveLength(1);
  });

  it('cancels what the person has under way on that issue, and nothing else', async () => {
    const body = changed('issue_comment.created', ({ comment }) => ({
      comment: { ...(comment as unknown as object), body: '@bgagent cancel' },
    }));
    expect(said(await receive('issue_comment', body))).toContain('no task is under way');
    const mine = { user_id: 'octocat-here', repo: 'octo/hello', issue_number: 12 };
    under = [
      aTask({ ...mine, task_id: 'running', status: 'RUNNING' }),
      aTask({ ...mine, task_id: 'done', status: 'COMPLETED' }),
      aTask({ ...mine, task_id: 'elsewhere', issue_number: 13 }),
      aTask({ ...mine, task_id: 'other repository', repo: 'octo/other' }),
      aTask({ ...mine, task_id: 'of another', user_id: 'mona' }),
    ];
    expect(said(await receive('issue_comment', body))).toBe('cancelled running');
    expect(cancelled).toEqual(['running']);
    expect(submitted).toEqual([]);
    links.clear();
    expect(said(await receive('issue_comment', body))).toContain('linked to no user');
  });

  it('follows reviews and failed checks up for the owner of the task, twice at most', async () => {
    const review = (id: number) =>
      changed('pull_request_review.submitted', ({ review: given }) => ({
        review: {
          ...(given as unknown as object),
          html_url: `https://github.com/octo/hello/pull/34#review-${id}`,
        },
      }));
    await receive('pull_request_review', review(1));
    await receive('pull_request_review', review(1));
    expect(submitted).toHaveLength(1);
    await receive('check_suite', fixture('check_suite.completed'));
    expect(submitted).toHaveLength(2);
    expect(said(await receive('pull_request_review', review(2)))).toContain('2 rounds were taken');
    expect(submitted.map(({ actor, request }) => [actor.userId, request.prNumber])).toEqual([
      ['owner', 34],
      ['owner', 34],
    ]);
  });

  it('has GitHub send again what could not be done for the moment', async () => {
    fails = new BgAgentError('SERVICE_UNAVAILABLE', 'the engine is down');
    const body = fixture('issue_comment.created');
    expect(await receive('issue_comment', body, { delivery: 'later' })).toMatchObject({
      refused: 'SERVICE_UNAVAILABLE',
    });
    fails = undefined;
    expect(await receive('issue_comment', body, { delivery: 'later' })).toMatchObject({ refused: null });
    expect(submitted).toHaveLength(1);
  });

  it('says what will never be done', async () => {
    fails = new BgAgentError('REPO_NOT_ONBOARDED', 'octo/hello is not onboarded');
    const answer = await receive('issue_comment', fixture('issue_comment.created'));
    expect(answer.refused).toBeNull();
    expect(said(answer)).toContain('REPO_NOT_ONBOARDED');
  });

  it('answers a ping, events that mean nothing, and a form', async () => {
    expect(await receive('ping', '{"zen":"x"}')).toMatchObject({ refused: null });
    expect(await receive('star', '{}')).toMatchObject({ refused: null });
    const form = new URLSearchParams({ payload: fixture('issue_comment.created') }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(await receive('issue_comment', form, { headers })).toMatchObject({ refused: null });
    expect(submitted).toHaveLength(1);
  });

  it.each([
    ['no JSON', 'issue_comment', '{', 'VALIDATION_ERROR'],
    ['another shape', 'issue_comment', '{"action":"created"}', 'VALIDATION_ERROR'],
    ['nothing', 'issue_comment', '', 'UNAUTHORIZED'],
  ])('refuses %s', async (_, event, body, refused) => {
    expect(await receive(event, body)).toMatchObject({ refused });
  });

  it('refuses deliveries without an id, and other paths', async () => {
    const body = fixture('issue_comment.created');
    expect(await receive('issue_comment', body, { delivery: '' })).toMatchObject({
      refused: 'VALIDATION_ERROR',
    });
    expect(await receive('issue_comment', body, { kind: 'other' })).toMatchObject({
      refused: 'ROUTE_NOT_FOUND',
    });
  });
});
