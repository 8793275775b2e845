import { describe, expect, it } from 'vitest';
import { runFolders } from './folders.ts';
import { sandboxPolicy } from './policy.ts';

const folders = runFolders('/data/work', {
  taskId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  attempt: 1,
  cacheKey: 'key',
});
const policyFor = (path: string) =>
  sandboxPolicy({
    folders,
    workDir: '/data/work',
    path,
    payload: { sandbox: { mode: 'required', egress: ['example.com'], deny_read: ['/data'] } },
  });

describe('what an agent may do', () => {
  it('is to write in its own folders and to read the objects of its repository', () => {
    const { writable, readable, denyRead, egress } = policyFor('/usr/bin:/bin');
    expect(writable).toEqual(
      ['work', 'home', 'tmp', 'exchange'].map(
        (name) => `/data/work/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV-1/${name}`,
      ),
    );
    expect(readable).toEqual(['/data/work/mirrors/key.git/objects']);
    expect(denyRead).toEqual(
      expect.arrayContaining(['/data', '/data/work', '/root', '/home', '/tmp', '/run', '/etc/shadow']),
    );
    expect(egress).toEqual(['example.com']);
  });

  it('opens tools below a home, but neither the home nor what else lies beside them', () => {
    const { readable } = policyFor(
      '/home/octo/.nvm/versions/node/v24/bin:/home/octo/.local/bin:/root/.cargo/bin:/home/octo/bin:/usr/bin',
    );
    expect(readable).toEqual(
      expect.arrayContaining([
        '/home/octo/.nvm/versions/node/v24/bin',
        '/home/octo/.nvm/versions/node/v24/lib',
        '/home/octo/.local/bin',
        '/root/.cargo/bin',
        '/root/.rustup',
        '/home/octo/bin',
      ]),
    );
    for (const hidden of [
      '/home/octo',
      '/root',
      '/root/.cargo',
      '/home/octo/.local',
      '/home/octo/.local/share',
      '/home/octo/lib',
    ])
      expect(readable).not.toContain(hidden);
  });
});
