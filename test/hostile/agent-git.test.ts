import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeHostileAgent } from '../fixtures/hostile.ts';
import { filesOnBranch } from '../fixtures/runner.ts';

describeHostileAgent('turns on git', ({ world, sandbox }) => {
  it('that deletes .git loses nothing', async () => {
    const { outcome, payload } = await world().run({ sandbox, command: 'rm -rf .git; echo x > x.txt' });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 1 } });
    expect(filesOnBranch(world().repo, payload.repo.branch_name)).toEqual([
      '.gitignore',
      'README.md',
      'x.txt',
    ]);
  });

  it('that deletes everything pushes just that', async () => {
    const { outcome } = await world().run({ sandbox, command: 'rm -rf ./* ./.[!.]*; ls -A' });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 2, insertions: 0 } });
  });

  it('that removes the workspace itself ends in a clear state', async () => {
    const { outcome } = await world().run({ sandbox, command: 'rm -rf "$PWD"; true' });
    // In the sandbox the folder is a mount, which stays.
    expect(outcome?.result).toBe(sandbox ? 'changes' : 'failed');
    expect(outcome?.error?.code).toBe(sandbox ? undefined : 'RUNNER_ERROR');
  });

  it.each([
    ['a file that points elsewhere', 'rm -rf .git; echo "gitdir: /etc" > .git'],
    ['a link to elsewhere', 'rm -rf .git; ln -s /etc .git'],
    [
      'a bare repository with a hook',
      'rm -rf .git; git init -q --bare .git; printf "#!/bin/sh\\ntouch /tmp/bgagent-hook\\n" > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit',
    ],
    [
      'a config that runs programs',
      'git config core.fsmonitor "touch /tmp/bgagent-hook"; git config core.sshCommand "touch /tmp/bgagent-hook"; git config core.worktree /',
    ],
    ['an index that hides changes', 'git update-index --assume-unchanged README.md; echo more >> README.md'],
    ['other objects', 'rm -rf .git/objects; mkdir .git/objects; echo junk > .git/HEAD'],
  ])('that makes .git %s is not followed there', async (_, attack) => {
    const { outcome, payload } = await world().run({ sandbox, command: `${attack}; echo x > x.txt` });
    expect(outcome).toMatchObject({ result: 'changes' });
    expect(filesOnBranch(world().repo, payload.repo.branch_name)).toEqual([
      '.gitignore',
      'README.md',
      'x.txt',
    ]);
    expect(existsSync('/tmp/bgagent-hook')).toBe(false);
  });

  it('that makes repositories inside of the repository gets their files committed, not their commits', async () => {
    const { outcome, payload } = await world().run({
      sandbox,
      command:
        'git init -q inner; echo x > inner/x.txt; git -C inner add .; git -C inner -c user.name=a -c user.email=a@b commit -qm x; git init -q empty; mkdir -p a/.GIT; echo y > a/.GIT/y; echo z > a/z',
    });
    expect(outcome).toMatchObject({ result: 'changes' });
    expect(filesOnBranch(world().repo, payload.repo.branch_name)).toEqual([
      '.gitignore',
      'README.md',
      'a/z',
      'inner/x.txt',
    ]);
  });
});
