import { describe, expect, it } from 'vitest';
import { aRepo } from '../../test/fixtures/repo.ts';
import { aTask } from '../../test/fixtures/task.ts';
import { defaultSettings } from '../config/settings.ts';
import { createWorkflows } from '../task/workflows.ts';
import { buildPayload } from './payload.ts';

const source = {
  url: '/srv/git/hello.git',
  baseBranch: 'main',
  baseSha: 'a'.repeat(40),
  branch: 'bgagent/1/hello',
  startSha: 'a'.repeat(40),
  pullRequest: null,
  resumeSha: null,
};
const payloadOf = (repoConfig: Parameters<typeof buildPayload>[0]['repoConfig']) =>
  buildPayload({
    task: aTask(),
    workflow: createWorkflows().resolve('coding/new-task-v1'),
    repoConfig,
    settings: defaultSettings(),
    source,
    context: { text: '', title: null },
    denyRead: ['/data'],
  });

describe('the payload', () => {
  it('has the commands that the platform keeps for the repository', () => {
    const commands = { setup_command: 's', build_command: 'b', lint_command: 'l', test_command: 't' };
    expect(payloadOf(aRepo(commands)).commands).toEqual({ setup: 's', build: 'b', lint: 'l', test: 't' });
  });

  it('of a repository that nobody has set anything for has none', () => {
    expect(payloadOf(undefined).commands).toEqual({ setup: null, build: null, lint: null, test: null });
  });
});
