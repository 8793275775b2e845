import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';

let platform: TestPlatform;
let admin: string;
beforeAll(async () => {
  platform = await startTestPlatform();
  admin = await platform.key('root', ['admin']);
});
afterAll(() => platform.close());

const at = (repo: string) => `/v1/repos/${encodeURIComponent(repo)}`;
const put = (repo: string, body: object) => request(platform, 'PUT', at(repo), { key: admin, body });

/** Lists within lists. */
const nested = (depth: number): unknown => (depth === 0 ? [] : [nested(depth - 1)]);

describe('a repository', () => {
  it('is onboarded with defaults, changed, removed, and onboarded again', async () => {
    const made = await put('octo/hello', {});
    expect(made.status).toBe(200);
    expect(made.body.data).toMatchObject({
      repo: 'octo/hello',
      status: 'active',
      compute_type: 'local',
      agent: null,
    });

    const changed = await put('octo/hello', {
      agent: 'command',
      agent_command: 'make',
      egress_allowlist: ['*.npmjs.org'],
    });
    expect(changed.body.data).toMatchObject({ agent_command: 'make', egress_allowlist: ['*.npmjs.org'] });
    const kept = await put('octo/hello', { agent: null });
    expect(kept.body.data).toMatchObject({ agent: null, agent_command: 'make' });

    expect((await request(platform, 'DELETE', at('octo/hello'), { key: admin })).body.data.status).toBe(
      'removed',
    );
    const gone = await request(platform, 'GET', at('octo/hello'), { key: admin });
    expect([gone.status, gone.code]).toEqual([404, 'REPO_NOT_FOUND']);
    const again = await request(platform, 'DELETE', at('octo/hello'), { key: admin });
    expect([again.status, again.code]).toEqual([404, 'REPO_NOT_FOUND']);
    const list = await request(platform, 'GET', '/v1/repos', { key: admin });
    expect(list.body.data).toEqual([]);
    expect((await put('octo/hello', {})).body.data.status).toBe('active');
  });

  it('lends its settings to its tasks, which may say otherwise', async () => {
    await put('octo/settings', {
      max_turns: 7,
      max_budget_usd: 1,
      deadline_s: 60,
      agent_command: 'make',
      model_id: 'm',
    });
    const submit = async (body: object) =>
      (
        await request(platform, 'POST', '/v1/tasks', {
          key: await platform.key('octo'),
          body: { repo: 'octo/settings', task_description: 'Add', ...body },
        })
      ).body.data;
    expect(await submit({})).toMatchObject({
      max_turns: 7,
      max_budget_usd: 1,
      deadline_s: 60,
      agent_command: 'make',
      model_id: 'm',
    });
    expect(await submit({ max_turns: 9, model_id: 'other' })).toMatchObject({
      max_turns: 9,
      model_id: 'other',
    });
  });

  it('is known by one name, however it is spelt', async () => {
    await put('/srv/git/spelt.git/', {});
    const { body } = await request(platform, 'GET', at('file:///srv/git/spelt.git'), { key: admin });
    expect(body.data.repo).toBe('/srv/git/spelt.git');
  });

  it.each([
    [{ compute_type: 'mainframe' }, 'compute_type'],
    [{ agent: 'unheard-of' }, 'agent'],
    [{ max_turns: 501 }, 'max_turns'],
    [{ agent_command: ' ' }, 'agent_command'],
    [{ notifications: { slack: nested(11) } }, 'notifications'],
    [{ notifications: { slack: 'x'.repeat(10_000) } }, 'notifications'],
    [{ egress_allowlist: ['https://example.com/'] }, 'egress_allowlist'],
    [{ egress_allowlist: 'example.com' }, 'egress_allowlist'],
    [{ token_secret: '../../etc/passwd; id' }, 'token_secret'],
    [{ deadline_s: 1 }, 'deadline_s'],
    [{ repo: 'octo/other' }, 'repo'],
    [{ status: 'removed' }, 'status'],
  ])('does not take %o', async (body, field) => {
    const answer = await put('octo/refused', body);
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toContain(field);
    expect((await request(platform, 'GET', at('octo/refused'), { key: admin })).status).toBe(404);
  });

  it('for a backend that the deployment lacks is told which setting brings it (C4)', async () => {
    const { status, body } = await put('octo/refused', { compute_type: 'ecs' });
    expect(status).toBe(400);
    expect(body.error.message).toContain('set ecs_cluster where the platform runs');
  });

  it('on a backend that ends sessions early gets tasks with a deadline that it keeps (A2)', async () => {
    const limited = await startTestPlatform({
      computes: [{ type: 'agentcore', maxSessions: null, maxDeadlineS: 27_000 }],
    });
    try {
      const key = await limited.key('root', ['admin']);
      await request(limited, 'PUT', at('octo/hello'), { key, body: { agent_command: 'true' } });
      const task = { repo: 'octo/hello', task_description: 'Say hello' };
      const { body } = await request(limited, 'POST', '/v1/tasks', { key, body: task });
      expect((await limited.deps.stores.tasks.get(body.data.task_id))?.deadline_s).toBe(27_000);
    } finally {
      await limited.close();
    }
  });

  it('is not onboarded with settings nested so deep that writing them down would fail', async () => {
    const raw = `{"notifications": {"slack": ${'['.repeat(50_000)}${']'.repeat(50_000)}}}`;
    const { status, body } = await request(platform, 'PUT', at('octo/deep'), { key: admin, raw });
    expect(status).toBe(400);
    expect(body.error.message).toMatch(/^notifications: must be nested/);
  });

  it.each([
    '--upload-pack=touch /tmp/x',
    'ext::sh -c id',
    '../etc',
    '/srv/../etc',
    'octo/hello;id',
    'octo/hello\nid',
    'octo/h\u0435llo',
    'https://user:secret@example.com/hello.git',
    'octo/..',
    'a/b/c',
    ' ',
    'x'.repeat(1_001),
    'octo/hello\u202egpj',
    '\ud800',
  ])('is never named %j', async (repo) => {
    const name = repo.isWellFormed() ? encodeURIComponent(repo) : '%ED%A0%80';
    for (const method of ['GET', 'PUT', 'DELETE'] as const) {
      const { status, code } = await request(platform, method, `/v1/repos/${name}`, {
        key: admin,
        ...(method === 'PUT' ? { body: {} } : {}),
      });
      expect([status, code], method).toEqual([400, 'VALIDATION_ERROR']);
    }
    const submitted = await request(platform, 'POST', '/v1/tasks', {
      key: admin,
      body: { repo, task_description: 'Add' },
    });
    expect([submitted.status, submitted.code]).toEqual([400, 'VALIDATION_ERROR']);
    expect(submitted.body.error.message).toContain('repo');
  });
});
