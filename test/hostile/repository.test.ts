import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { git } from '../fixtures/git-repo.ts';
import {
  checkRepository,
  createRunnerWorld,
  fileOnBranch,
  filesOnBranch,
  type RunnerWorld,
} from '../fixtures/runner.ts';

/** Repositories that try something against whoever clones them, adds to them or shows their differences. */
describe('a hostile repository', () => {
  let world: RunnerWorld;
  let source: string;
  /** Where attacks leave their proof. */
  let proof: string;

  beforeEach(async () => {
    world = await createRunnerWorld();
    source = join(world.folder, 'source');
    proof = join(world.folder, 'proof');
  });
  afterEach(async () => {
    try {
      checkRepository(world.repo);
    } finally {
      await world.close();
    }
  });

  /** Commits what is in the source and makes it the base of the next task. */
  function publish(): void {
    git(source, 'add', '--all', '--force');
    git(source, 'commit', '--quiet', '--allow-empty', '--message', 'Trap');
    git(source, 'push', '--quiet', '--force', world.repo, 'HEAD:main');
    world.sha = git(world.repo, 'rev-parse', 'main');
  }

  it('runs no hooks of its own, wherever they lie', async () => {
    for (const hook of [
      'pre-commit',
      'post-checkout',
      'commit-msg',
      'pre-push',
      'post-index-change',
      'reference-transaction',
      'fsmonitor-watchman',
    ]) {
      for (const folder of ['.githooks', 'hooks']) {
        mkdirSync(join(source, folder), { recursive: true });
        writeFileSync(join(source, folder, hook), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
      }
    }
    publish();
    const { outcome } = await world.run({
      command:
        'git config core.hooksPath .githooks; git config core.fsmonitor .githooks/fsmonitor-watchman; echo x > x.txt',
    });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 1 } });
    expect(existsSync(proof)).toBe(false);
  });

  it('starts no filter, diff or merge driver by its attributes', async () => {
    writeFileSync(
      join(source, '.gitattributes'),
      '* filter=evil diff=evil merge=evil ident\n*.utf filter=lfs working-tree-encoding=UTF-16\n',
    );
    writeFileSync(join(source, 'a.txt'), '$Id$\n');
    publish();
    const evil = `sh -c 'touch ${proof}; cat'`;
    const { outcome, payload } = await world.run({
      command: [
        ...[
          'filter.evil.clean',
          'filter.evil.smudge',
          'filter.evil.process',
          'diff.evil.textconv',
          'diff.evil.command',
          'diff.external',
        ].map((key) => `git config ${key} "${evil}"`),
        'printf "plain bytes" > b.utf',
        'echo more >> a.txt',
      ].join('; '),
    });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 2 } });
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'b.utf')).toBe('plain bytes');
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'a.txt')).toBe('$Id$\nmore');
    expect(existsSync(proof)).toBe(false);
  });

  it('says that submodules and LFS files are not fetched, and keeps them as they are', async () => {
    const pointer =
      'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n';
    writeFileSync(join(source, '.gitattributes'), '*.bin filter=lfs diff=lfs merge=lfs -text\n');
    writeFileSync(join(source, 'model.bin'), pointer);
    writeFileSync(
      join(source, '.gitmodules'),
      `[submodule "lib"]\n\tpath = lib\n\turl = ext::sh -c 'touch ${proof}'\n\tupdate = !touch ${proof}\n`,
    );
    git(source, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},lib`);
    mkdirSync(join(source, 'lib'));
    git(source, 'add', '.gitattributes', '.gitmodules', 'model.bin');
    git(source, 'commit', '--quiet', '--message', 'Trap');
    git(source, 'push', '--quiet', world.repo, 'HEAD:main');
    world.sha = git(world.repo, 'rev-parse', 'main');
    const { outcome, log, payload } = await world.run({ command: 'cat model.bin; ls lib; echo x > x.txt' });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 1 } });
    expect(log).toContain('submodules are not fetched');
    expect(log).toContain('Git LFS');
    expect(log).toContain(pointer);
    expect(git(world.repo, 'ls-tree', payload.repo.branch_name, 'lib')).toContain('160000 commit 1111111');
    expect(existsSync(proof)).toBe(false);
  });

  it('can not write outside of the work tree by links', async () => {
    const outside = join(world.folder, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'kept.txt'), 'kept');
    symlinkSync(outside, join(source, 'link'));
    symlinkSync('/etc/passwd', join(source, 'passwd'));
    symlinkSync('link', join(source, 'chain'));
    publish();
    const { outcome, payload } = await world.run({ command: 'echo x > x.txt' });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 1 } });
    expect(readdirSync(outside)).toEqual(['kept.txt']);
    expect(git(world.repo, 'ls-tree', payload.repo.branch_name, 'passwd', 'link')).toMatch(/120000.*120000/s);
    // The link is in the commit, never what it leads to.
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'passwd')).toBe('/etc/passwd');
  });

  it('copes with odd file names, content and modes', async () => {
    const odd = [
      '-rf',
      '--help',
      '$(touch proof)',
      'a b',
      'ümläut',
      'quote"and\'quote',
      'star*?[x]',
      ':(top)x',
      'new\nline',
      'tab\there',
      'mid  dle',
      'trail ',
      '.hidden',
      'x'.repeat(255),
    ];
    for (const name of odd) writeFileSync(join(source, name), name);
    publish();
    const { outcome, payload } = await world.run({
      command:
        'for f in * .hidden; do [ -f "./$f" ] && echo more >> "./$f"; done; printf "\\001\\002\\000\\377" > binary; echo "#!/bin/sh" > run.sh; chmod 755 run.sh',
    });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: odd.length + 3 } });
    expect(git(world.repo, 'ls-tree', payload.repo.branch_name, 'run.sh')).toContain('100755');
    expect(git(world.repo, 'ls-tree', '-z', '--name-only', payload.repo.branch_name).split('\0')).toEqual(
      expect.arrayContaining(odd),
    );
  });

  it('copes with a deep tree and a file over the line limits of everything', async () => {
    const deep = Array.from({ length: 60 }, () => 'deep').join('/');
    mkdirSync(join(source, deep), { recursive: true });
    writeFileSync(join(source, deep, 'end.txt'), 'end');
    writeFileSync(join(source, 'long.txt'), 'x'.repeat(5_000_000));
    publish();
    const { outcome, payload } = await world.run({ command: `cat long.txt; echo more >> ${deep}/end.txt` });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 1 } });
    expect(filesOnBranch(world.repo, payload.repo.branch_name)).toContain(`${deep}/end.txt`);
  });

  it('whose branch name is an attack is refused before git sees it', async () => {
    for (const branch_name of [
      '--upload-pack=touch /tmp/x',
      '../../../../tmp/x',
      'a\nb',
      'refs/heads/main',
    ]) {
      const { outcome } = await world.run({ repo: { branch_name } });
      expect(outcome).toMatchObject({ result: 'failed', error: { code: 'BRANCH_INVALID' } });
    }
  });

  it.each([
    'ext::sh -c "touch /tmp/bgagent-proof"',
    '--upload-pack=touch /tmp/bgagent-proof',
    'git://127.0.0.1/x',
  ])('at %s is refused before git sees it', async (url) => {
    const { outcome } = await world.run({ repo: { url } });
    expect(outcome).toMatchObject({ result: 'failed', error: { code: 'VALIDATION_ERROR' } });
    expect(existsSync('/tmp/bgagent-proof')).toBe(false);
  });
});
