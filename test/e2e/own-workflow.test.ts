import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, vi } from 'vitest';
import type { TaskDetail } from '../../src/api/client.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { call, type RunningPlatform, startUp } from './platform.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/own-workflow/update-readme.yaml', import.meta.url));

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bgagent-own-')));
let platform: RunningPlatform | undefined;
afterEach(async () => {
  await platform?.end('SIGTERM');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

it('runs a workflow of the deployment, by its alias, with nothing but its prompt', async () => {
  const repo = bareRepo(folder, { 'README.md': '# Hello\n', '.bgagent.yaml': 'setup: exit 1\n' });
  const running = await startUp(join(folder, 'data'), {
    BGAGENT_SANDBOX: 'off',
    BGAGENT_WORKFLOW_FILES: EXAMPLE,
    BGAGENT_DEFAULT_AGENT_COMMAND: 'cat "$BGAGENT_PROMPT_FILE" > README.md',
  });
  platform = running;
  const { status, data } = await call<TaskDetail>(running, 'POST', '/v1/tasks', {
    repo,
    workflow_ref: 'update_readme@1',
  });
  expect(status).toBe(201);
  expect(data.resolved_workflow).toEqual({ id: 'docs/update-readme-v1', version: '1.0.0' });
  const ended = await vi.waitFor(
    async () => {
      const { data: task } = await call<TaskDetail>(running, 'GET', `/v1/tasks/${data.task_id}`);
      if (task.completed_at === null) throw new Error(task.status);
      return task;
    },
    { timeout: 60_000, interval: 50 },
  );
  // The setup of the repository would have failed: the workflow has no such step.
  expect(ended).toMatchObject({ status: 'COMPLETED', outcome: 'changes', error_message: null });
  expect(git(repo, 'show', `${ended.branch_name}:README.md`)).toContain('Compare README.md with the code');
  expect(git(repo, 'log', '-1', '--format=%s', `${ended.branch_name}`)).toBe(
    'Bring the README up to date with the code.',
  );
});
