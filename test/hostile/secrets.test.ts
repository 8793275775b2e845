import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { git } from '../fixtures/git-repo.ts';
import { type GitServer, startGitServer } from '../fixtures/git-server.ts';
import {
  checkRepository,
  createRunnerWorld,
  fileOnBranch,
  type RunnerWorld,
  sandboxMissing,
} from '../fixtures/runner.ts';

const missing = await sandboxMissing();
if (missing !== undefined)
  process.stdout.write(`skipped: looking everywhere for a credential, in the sandbox: ${missing}\n`);
const PASSWORD = `forge-token-${'x1'.repeat(12)}`;
const FORMS = [PASSWORD, Buffer.from(`octo:${PASSWORD}`).toString('base64')];

/** A private repository behind a token that only the runner may know (N2). */
describe('the credential of a private repository', () => {
  let world: RunnerWorld;
  let server: GitServer;
  let url: string;
  beforeEach(async () => {
    world = await createRunnerWorld();
    server = await startGitServer(world.folder, { credentials: { username: 'octo', password: PASSWORD } });
    url = `${server.url}/hello.git`;
  });
  afterEach(async () => {
    await server.close();
    try {
      checkRepository(world.repo);
    } finally {
      await world.close();
    }
  });

  async function run(command: string, { sandbox = false } = {}) {
    const task = await world.start({ command, sandbox, repo: { url } });
    task.platform.credentials = { username: 'octo', password: PASSWORD };
    return task;
  }

  it('clones and pushes', async () => {
    const { outcome, payload } = await (await run('echo x > x.txt')).ended;
    expect(outcome).toMatchObject({ result: 'changes', error: null });
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'x.txt')).toBe('x');
  });

  it('is in no file, log, event, argument or URL', async () => {
    const task = await run('git remote -v; cat .git/config; env; echo x > x.txt');
    const seen: string[] = [];
    const watch = setInterval(() => seen.push(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })), 20);
    const { log, platform, printed, outcome } = await task.ended;
    clearInterval(watch);
    const files = readdirSync(join(world.folder, 'data'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
    const everything = [
      log,
      printed,
      JSON.stringify([platform.events, outcome]),
      ...server.requests,
      ...seen,
      ...files,
    ].join('\n');
    for (const form of FORMS) expect(everything).not.toContain(form);
  });

  it.skipIf(missing !== undefined)('can not be found by an agent that looks everywhere', async () => {
    const { log, outcome } = await (
      await run(
        `cat /proc/*/environ | tr "\\0" "\\n"; env; cat ~/.git* ~/.netrc .git/config; git config --list; git fetch ${url}; git push ${url} HEAD:main; grep -rs forge-token ${world.folder} | head; echo x > x.txt`,
        { sandbox: true },
      )
    ).ended;
    expect(outcome).toMatchObject({ result: 'changes' });
    for (const form of FORMS) expect(log).not.toContain(form);
    // It would have been hidden in the log; nothing was there to hide.
    expect(log).not.toContain('[redacted]');
    expect(git(world.repo, 'rev-parse', 'main')).toBe(world.sha);
  });

  it('that is wrong ends in a clear state without the credential', async () => {
    const task = await world.start({ repo: { url } });
    task.platform.credentials = { username: 'octo', password: 'wrong-password-1' };
    const { outcome, log } = await task.ended;
    expect(outcome).toMatchObject({ result: 'failed', error: { code: 'CLONE_FAILED' } });
    expect(JSON.stringify(outcome) + log).not.toContain('wrong-password-1');
  });

  it('fetches only the file contents that the task needs, where the server can (R6)', async () => {
    const source = join(world.folder, 'source');
    for (let n = 0; n < 5; n += 1) {
      writeFileSync(join(source, 'big.txt'), `${n}`.repeat(100_000));
      git(source, 'add', '--all');
      git(source, 'commit', '--quiet', '--message', `Round ${n}`);
    }
    git(source, 'push', '--quiet', world.repo, 'HEAD:main');
    world.sha = git(world.repo, 'rev-parse', 'main');
    const { outcome, log } = await (
      await run('wc -c < big.txt; git log --oneline | wc -l; echo more >> big.txt')
    ).ended;
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 1 } });
    expect(log).toMatch(/100000\n6\n/);
    const mirror = join(world.workDir, 'mirrors/hello.git');
    const missingBlobs = git(mirror, 'rev-list', '--objects', '--missing=print', world.sha)
      .split('\n')
      .filter((line) => line.startsWith('?'));
    expect(missingBlobs).toHaveLength(4);
  });
});
