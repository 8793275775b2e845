import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { channelContract } from '../../../test/contracts/channel.contract.ts';
import { serverError } from '../../../test/fakes/github/faults.ts';
import { type GitHubFake, startGitHub } from '../../../test/fakes/github/github.ts';
import { githubRoom } from '../../../test/fixtures/github.ts';
import { aTask } from '../../../test/fixtures/task.ts';
import { UNAVAILABLE_TRIES } from '../../forge/github/verdicts.ts';
import type { Task } from '../../task/task.ts';
import { createWorkflows } from '../../task/workflows.ts';
import type { Channel } from '../channel.ts';
import { createGitHubChannel } from './github.ts';

const COMMENTS = /\/issues\/\d+\/comments/;

/** A channel that speaks to a GitHub on loopback, and one repository there. */
async function createRoom() {
  const github = await startGitHub();
  const repo = github.addRepo('octo/hello');
  const { forge } = githubRoom(github);
  const tasks = new Map<string, Task>();
  const workflows = createWorkflows();
  const channel: Channel = createGitHubChannel({
    collaborationFor: (name) => (name.startsWith('/') ? null : forge.collaboration),
    outcomeOf: ({ resolved_workflow }) => workflows.resolve(resolved_workflow.id).outcome,
    readTask: async (taskId) => tasks.get(taskId),
  });
  const put = (fields: Partial<Task>): Task => {
    const task = aTask({ repo: 'octo/hello', issue_number: github.addIssue(repo).number, ...fields });
    tasks.set(task.task_id, task);
    return task;
  };
  const commentsOf = (number: number): string[] =>
    (github.repo('octo/hello').issues.get(number)?.comments ?? []).map(({ body }) => body);
  return { github, repo, channel, put, commentsOf };
}

type Room = Awaited<ReturnType<typeof createRoom>>;

const fail = (github: GitHubFake, method: string, failure: Parameters<GitHubFake['fail']>[0]['failure']) =>
  github.fail({ method, path: COMMENTS, times: method === 'GET' ? UNAVAILABLE_TRIES : 1, failure });

channelContract({
  name: 'github',
  create: async () => {
    const { github, channel, put, commentsOf } = await createRoom();
    const places = new Map<string, number>();
    return {
      channel,
      task(task_id) {
        const task = put({ task_id });
        places.set(task_id, task.issue_number ?? 0);
        return task;
      },
      visible: async (taskId) => commentsOf(places.get(taskId) ?? 0),
      fault(...faults) {
        for (const fault of faults) {
          if (fault === 'fail') fail(github, 'GET', serverError());
          if (fault === 'refuse')
            github.fail({
              method: 'GET',
              path: COMMENTS,
              failure: { kind: 'answer', status: 410, body: { message: 'This issue was deleted' } },
            });
          if (fault === 'limit')
            github.fail({
              method: 'GET',
              path: COMMENTS,
              failure: {
                kind: 'answer',
                status: 429,
                body: { message: 'Too many requests' },
                headers: { 'retry-after': '300' },
              },
            });
          if (fault === 'lose-answer') {
            fail(github, 'POST', { kind: 'drop', effect: true });
            // The look after it fails as well, so that the forge gives up.
            github.fail({
              method: 'GET',
              path: COMMENTS,
              times: UNAVAILABLE_TRIES,
              after: 1,
              failure: { kind: 'drop', effect: false },
            });
          }
        }
      },
      close: () => github.close(),
    };
  },
});

describe('github', () => {
  let room: Room;
  beforeEach(async () => {
    room = await createRoom();
  });
  afterEach(() => room.github.close());

  const tell = (task: Task, type: string) =>
    room.channel.deliver({
      event: {
        event_id: '01J00000000000000000000EVT',
        task_id: task.task_id,
        event_type: type,
        timestamp: '2030-01-01T00:00:00.000Z',
        metadata: {},
        user_id: null,
        repo: task.repo,
      },
      type,
      task,
      overrides: {},
    });

  it('keeps one comment a task, edited as it goes on (H1)', async () => {
    const task = room.put({});
    await tell(task, 'session_started');
    room.put({ ...task, status: 'COMPLETED', outcome: 'changes', outcome_summary: 'Mended.' });
    await tell(task, 'task_completed');
    const [comment, ...more] = room.commentsOf(task.issue_number ?? 0);
    expect(more).toEqual([]);
    expect(comment).toContain('bgagent is done');
    expect(comment).toContain(`<!-- bgagent:task-id=${task.task_id} -->`);
  });

  it('posts anew what a person deleted', async () => {
    const task = room.put({});
    await tell(task, 'session_started');
    room.github
      .repo('octo/hello')
      .issues.get(task.issue_number ?? 0)
      ?.comments.splice(0);
    await tell(task, 'task_completed');
    expect(room.commentsOf(task.issue_number ?? 0)).toHaveLength(1);
  });

  it('tells where the task was asked, not in the pull request that it made', () => {
    const made = { resolved_workflow: { id: 'coding/new-task-v1', version: '1.0.0' }, issue_number: null };
    expect(room.channel.wants(room.put({ ...made, pr_number: 7 }), {})).toBe(false);
    const asked = { resolved_workflow: { id: 'coding/pr-iteration-v1', version: '1.0.0' } };
    expect(room.channel.wants(room.put({ ...asked, issue_number: null, pr_number: 7 }), {})).toBe(true);
    expect(room.channel.wants(room.put({ repo: '/srv/git/hello.git' }), {})).toBe(false);
  });

  it.each(['coding/pr-iteration-v1', 'coding/pr-review-v1'])(
    'leaves it to the answer or review of %s to say that it is done',
    async (id) => {
      const { number } = room.github.addPull(room.repo, { branch: 'mend', files: { a: 'b' } });
      const task = room.put({
        resolved_workflow: { id, version: '1.0.0' },
        issue_number: null,
        pr_number: number,
        status: 'COMPLETED',
      });
      expect(await tell(task, 'task_completed')).toMatchObject({ kind: 'sent', note: expect.any(String) });
      expect(room.commentsOf(number)).toEqual([]);
    },
  );

  it('says what is missing when GitHub is not set up', async () => {
    const channel = createGitHubChannel({
      collaborationFor: () => githubRoom(room.github, { as: 'nobody' }).forge.collaboration,
      outcomeOf: () => 'pull_request',
      readTask: async () => undefined,
    });
    const task = room.put({});
    await expect(
      channel.deliver({
        event: {
          event_id: '01J00000000000000000000EVT',
          task_id: task.task_id,
          event_type: 'task_failed',
          timestamp: '2030-01-01T00:00:00.000Z',
          metadata: {},
          user_id: null,
          repo: task.repo,
        },
        type: 'task_failed',
        task,
        overrides: {},
      }),
    ).rejects.toMatchObject({ code: 'CHANNEL_NOT_CONFIGURED' });
  });
});
