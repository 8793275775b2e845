import { describe, expect, it } from 'vitest';
import { aRepo } from '../../../test/fixtures/repo.ts';
import { createRepoCredentials } from './credentials.ts';

const credentialsOf = (token_secret: string | null, secrets: Record<string, string>) =>
  createRepoCredentials({
    repos: { get: async (repo) => aRepo({ repo, token_secret }) },
    secrets: { get: async (name) => secrets[name] },
  })('https://example.com/octo/hello');

describe('the credentials of a repository', () => {
  it('are the token that its secret holds', async () => {
    expect(await credentialsOf('HELLO', { HELLO: 'token-1\n' })).toEqual({
      username: 'x-access-token',
      password: 'token-1',
    });
  });

  it('may have a user name', async () => {
    expect(await credentialsOf('HELLO', { HELLO: 'octo:pass:word' })).toEqual({
      username: 'octo',
      password: 'pass:word',
    });
  });

  it('are none when it names no secret, and an error when that is not set', async () => {
    expect(await credentialsOf(null, {})).toBeNull();
    await expect(credentialsOf('HELLO', {})).rejects.toMatchObject({
      code: 'REPO_UNREACHABLE',
      message: expect.stringContaining('HELLO'),
    });
  });

  it('are never a secret of the platform itself', async () => {
    await expect(
      credentialsOf('bgagent/task-token-key', { 'bgagent/task-token-key': 'key' }),
    ).rejects.toMatchObject({ field: 'token_secret' });
  });
});
