import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';

let platform: TestPlatform;
let key: string;
beforeAll(async () => {
  platform = await startTestPlatform();
  key = await platform.key('octo', ['tasks:read', 'tasks:write', 'tasks:cancel', 'admin']);
  await request(platform, 'PUT', '/v1/repos/octo%2Fhello', { key, body: {} });
});
afterAll(() => platform.close());

const submit = (body: object) =>
  request(platform, 'POST', '/v1/tasks', { key, body: { repo: 'octo/hello', ...body } });

describe('a task about an issue or a pull request', () => {
  it('needs no description', async () => {
    const { status, body } = await submit({ issue_number: 12 });
    expect(status).toBe(201);
    expect(body.data).toMatchObject({ issue_number: 12, task_description: null, branch_name: null });
  });

  it.each(['pr_iteration', 'coding/pr-review-v1'])(
    'knows its branch only later: %s',
    async (workflow_ref) => {
      const { status, body } = await submit({ workflow_ref, pr_number: 34, issue_number: 12 });
      expect(status).toBe(201);
      expect(body.data).toMatchObject({ pr_number: 34, branch_name: 'pending:pr_resolution' });
    },
  );

  it('takes no number that its workflow has no use for', async () => {
    const { status, code, body } = await submit({ task_description: 'Add a greeting', pr_number: 34 });
    expect([status, code]).toEqual([400, 'VALIDATION_ERROR']);
    expect(body.error.message).toMatch(/^pr_number: .*pr_iteration and pr_review/);
  });

  it('once more begins with a pull request of its own, or with the same one', async () => {
    const own = (await submit({ issue_number: 12 })).body.data.task_id;
    const given = (await submit({ workflow_ref: 'pr_review', pr_number: 34 })).body.data.task_id;
    const pr = { pr_number: 7, pr_url: 'https://forge.example.com/octo/hello/pull/7' };
    await platform.deps.stores.tasks.update(own, { patch: pr });
    for (const taskId of [own, given]) await platform.end(taskId);
    const again = async (taskId: string) =>
      (await request(platform, 'POST', `/v1/tasks/${taskId}/retry`, { key })).body.data;
    expect(await again(own)).toMatchObject({
      issue_number: 12,
      pr_number: null,
      pr_url: null,
      branch_name: null,
    });
    expect(await again(given)).toMatchObject({ pr_number: 34, branch_name: 'pending:pr_resolution' });
  });

  it('asks for credentials that can only read when it pushes nothing', async () => {
    const asked: unknown[] = [];
    const watched = await startTestPlatform({
      forgeCredentials: async (_repo, rights) => {
        asked.push(rights);
        return null;
      },
    });
    try {
      const owner = await watched.key('octo', ['tasks:read', 'tasks:write', 'admin']);
      await request(watched, 'PUT', '/v1/repos/octo%2Fhello', { key: owner, body: {} });
      for (const workflow_ref of ['pr_review', 'pr_iteration']) {
        const { body } = await request(watched, 'POST', '/v1/tasks', {
          key: owner,
          body: { repo: 'octo/hello', workflow_ref, pr_number: 34 },
        });
        const token = await watched.token(body.data);
        await request(watched, 'POST', `/v1/runner/${body.data.task_id}/credentials`, {
          headers: { authorization: `Bearer ${token}` },
        });
      }
      expect(asked).toEqual([{ push: false }, { push: true }]);
    } finally {
      await watched.close();
    }
  });
});

describe('the settings of pull requests', () => {
  it('are labels and reviewers, and none by default', async () => {
    const put = (body: object) => request(platform, 'PUT', '/v1/repos/octo%2Fhello', { key, body });
    expect((await put({})).body.data).toMatchObject({ pr_labels: [], pr_reviewers: [] });
    const given = { pr_labels: ['bgagent'], pr_reviewers: ['octo', 'octo/core-team'] };
    expect((await put(given)).body.data).toMatchObject(given);
  });

  it.each([
    [{ pr_reviewers: ['@octo'] }, 'pr_reviewers'],
    [{ pr_reviewers: ['octo/a/b'] }, 'pr_reviewers'],
    [{ pr_labels: [' '] }, 'pr_labels'],
    [{ pr_labels: 'bgagent' }, 'pr_labels'],
  ])('refuse %o naming the field', async (body, field) => {
    const answer = await request(platform, 'PUT', '/v1/repos/octo%2Fhello', { key, body });
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toContain(field);
  });
});
