import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { git } from '../fixtures/git-repo.ts';
import {
  checkRepository,
  createRunnerWorld,
  fileOnBranch,
  filesOnBranch,
  isRunning,
  processesBelow,
  type RunnerWorld,
  sandboxMissing,
} from '../fixtures/runner.ts';

const missing = await sandboxMissing();
if (missing !== undefined) process.stdout.write(`skipped: hostile agents in the sandbox: ${missing}\n`);

let sleeps = 0;
/** A command line that is found again among all processes of the machine. */
const uniqueSleep = (): string => {
  sleeps += 1;
  return `sleep 6${process.pid}.${sleeps}`;
};

/** What an agent may do to its own workspace, to the machine and to the runner. With and without a sandbox. */
describe.for([
  { where: 'without a sandbox', sandbox: false },
  ...(missing === undefined ? [{ where: 'in the sandbox', sandbox: true }] : []),
])('a hostile agent $where', ({ sandbox }) => {
  let world: RunnerWorld;
  beforeEach(async () => {
    world = await createRunnerWorld({ files: { 'README.md': '# Hello\n', '.gitignore': 'ignored/\n' } });
  });
  afterEach(async () => {
    try {
      expect(processesBelow(world.folder)).toEqual([]);
      checkRepository(world.repo);
      checkRepository(join(world.workDir, 'mirrors', 'hello.git'));
    } finally {
      await world.close();
    }
  });

  it('that deletes .git loses nothing', async () => {
    const { outcome, payload } = await world.run({ sandbox, command: 'rm -rf .git; echo x > x.txt' });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 1 } });
    expect(filesOnBranch(world.repo, payload.repo.branch_name)).toEqual(['.gitignore', 'README.md', 'x.txt']);
  });

  it('that deletes everything pushes just that', async () => {
    const { outcome } = await world.run({ sandbox, command: 'rm -rf ./* ./.[!.]*; ls -A' });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 2, insertions: 0 } });
  });

  it('that removes the workspace itself ends in a clear state', async () => {
    const { outcome } = await world.run({ sandbox, command: 'rm -rf "$PWD"; true' });
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
    const { outcome, payload } = await world.run({ sandbox, command: `${attack}; echo x > x.txt` });
    expect(outcome).toMatchObject({ result: 'changes' });
    expect(filesOnBranch(world.repo, payload.repo.branch_name)).toEqual(['.gitignore', 'README.md', 'x.txt']);
    expect(existsSync('/tmp/bgagent-hook')).toBe(false);
  });

  it('that makes repositories inside of the repository gets their files committed, not their commits', async () => {
    const { outcome, payload } = await world.run({
      sandbox,
      command:
        'git init -q inner; echo x > inner/x.txt; git -C inner add .; git -C inner -c user.name=a -c user.email=a@b commit -qm x; git init -q empty; mkdir -p a/.GIT; echo y > a/.GIT/y; echo z > a/z',
    });
    expect(outcome).toMatchObject({ result: 'changes' });
    expect(filesOnBranch(world.repo, payload.repo.branch_name)).toEqual([
      '.gitignore',
      'README.md',
      'a/z',
      'inner/x.txt',
    ]);
  });

  it('that leaves 100,000 files is told how many are too many, and nothing of it is pushed', async () => {
    const { outcome, payload } = await world.run({
      sandbox,
      command: 'mkdir many; cd many; seq 100000 | xargs touch; echo made',
      limits: { max_files: 20_000 },
    });
    expect(outcome).toMatchObject({
      result: 'failed',
      head_sha: null,
      error: { code: 'DISK_QUOTA_EXCEEDED', message: expect.stringContaining('20000') },
    });
    expect(git(world.repo, 'branch', '--list', payload.repo.branch_name)).toBe('');
  });

  it('may leave as many ignored files as its quota allows', async () => {
    const { outcome } = await world.run({
      sandbox,
      command: 'mkdir ignored; cd ignored; seq 5000 | xargs touch; cd ..; echo x > x.txt',
      limits: { max_files: 20_000 },
    });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 1 } });
  });

  it('that fills its quota is stopped while it does', async () => {
    const { outcome } = await world.run({
      sandbox,
      command:
        'echo half > half.txt; while :; do dd if=/dev/zero of=big.$$ bs=1M count=8 oflag=append conv=notrunc 2>/dev/null; sleep 0.02; done',
      limits: { workspace_max_mb: 64 },
    });
    expect(outcome).toMatchObject({
      result: 'failed',
      // What is over the limit is not pushed into somebody's repository.
      head_sha: null,
      error: { code: 'DISK_QUOTA_EXCEEDED', message: expect.stringContaining('64 MB') },
    });
  });

  it('that prints 1 GB costs the limit, and the rest is counted', async () => {
    const { outcome, log } = await world.run({
      sandbox,
      command: 'yes 0123456789abcdef0123456789abcdef | head -c 1000000000; echo x > x.txt',
      limits: { output_max_bytes: 100_000 },
    });
    expect(outcome).toMatchObject({ result: 'changes' });
    expect(log.length).toBeLessThan(102_000);
    expect(log).toContain('999900000 more bytes of output are not kept');
  });

  it('that prints control characters and broken text does no harm', async () => {
    const task = await world.start({
      sandbox,
      command: `printf '\\033[2J\\033]0;title\\007\\377\\376 \\000 \\r\\n'; echo x > x.txt`,
    });
    const { outcome, platform } = await task.ended;
    expect(outcome).toMatchObject({ result: 'changes' });
    const previews = platform.events
      .filter(({ event_type }) => event_type === 'agent_output')
      .map(({ metadata }) => String(metadata.preview));
    expect(previews.join('')).not.toMatch(/\p{Cc}/u);
  });

  it.each([
    ['in the background', 'SLEEP & echo x > x.txt'],
    ['with nohup', 'nohup SLEEP >/dev/null 2>&1 & echo x > x.txt'],
    ['in a session of its own', 'setsid SLEEP >/dev/null 2>&1 & echo x > x.txt'],
    [
      'twice forked, elsewhere, without environment',
      '(setsid env -i PATH="$PATH" sh -c "cd /; SLEEP >/dev/null 2>&1 & sleep 0.3" &) ; sleep 0.2; echo x > x.txt',
    ],
    ['holding its output open', '(setsid SLEEP &) ; echo x > x.txt'],
    ['that ignores every signal', `(trap '' TERM HUP INT; while :; do SLEEP; done) & echo x > x.txt`],
  ])('that leaves a process behind, %s, leaves none', async (_, command) => {
    const sleep = uniqueSleep();
    const { outcome } = await world.run({ sandbox, command: command.replace('SLEEP', sleep) });
    expect(outcome).toMatchObject({ result: 'changes' });
    expect(isRunning(sleep)).toBe(false);
  });

  it('that forks without end is stopped by the deadline', async () => {
    const sleep = uniqueSleep();
    const { outcome } = await world.run({
      sandbox,
      command: `for i in 1 2 3 4 5 6 7 8; do (while :; do ${sleep} & sleep 0.2; done) & done; echo half > half.txt; wait`,
      limits: { deadline_at: new Date(Date.now() + 2_500).toISOString() },
    });
    expect(outcome).toMatchObject({ result: 'timed_out', partial: true });
    expect(isRunning(sleep)).toBe(false);
  });

  it('that kills its parents, and all it may signal, harms only itself', async () => {
    const { outcome, exitCode } = await world.run({
      sandbox,
      command: 'echo half > half.txt; kill -9 $PPID; kill -9 -1; kill -9 $$; sleep 1; exit 1',
    });
    expect(exitCode).toBe(0);
    expect(outcome).toMatchObject({ result: 'failed', partial: true, error: { code: 'AGENT_FAILED' } });
  });

  it('that leaves pipes, sockets and files that can’t be read gets the rest committed', async () => {
    const { outcome, payload } = await world.run({
      sandbox,
      command: 'mkfifo pipe; rm README.md; mkfifo README.md; echo x > x.txt; echo y > y.txt; chmod 000 y.txt',
    });
    expect(outcome?.result).toBe('changes');
    expect(filesOnBranch(world.repo, payload.repo.branch_name)).toContain('x.txt');
    expect(filesOnBranch(world.repo, payload.repo.branch_name)).not.toContain('pipe');
  });

  it('that puts a link or a pipe in place of its summary is not followed', async () => {
    const secret = join(world.folder, 'secret.txt');
    writeFileSync(secret, 'the secret of someone else');
    const linked = await world.run({
      sandbox,
      command: `ln -s ${secret} "$BGAGENT_SUMMARY_FILE"; echo x > x.txt`,
    });
    expect(linked.outcome).toMatchObject({ result: 'changes', summary: null });
    const piped = await world.run({ sandbox, command: 'mkfifo "$BGAGENT_SUMMARY_FILE"; echo x > x.txt' });
    expect(piped.outcome).toMatchObject({ result: 'changes', summary: null });
  });

  it('that links out of the workspace gets the link committed, not what it leads to', async () => {
    const secret = join(world.folder, 'secret.txt');
    writeFileSync(secret, 'the secret of someone else');
    mkdirSync(join(world.folder, 'victim'));
    const { outcome, payload } = await world.run({
      sandbox,
      command: `ln -s ${secret} link; ln -s ${world.folder}/victim folder; echo x > x.txt`,
    });
    expect(outcome?.diff).not.toContain('someone else');
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'link')).toBe(secret);
  });

  it('that puts a secret into a file is stopped before the push, and the secret is told nowhere', async () => {
    const key = `ghp_${'a1B2'.repeat(9)}`;
    const { outcome, payload, log, platform } = await world.run({
      sandbox,
      command: `echo "token=${key}" > config.txt; echo "I use ${key}"`,
    });
    expect(outcome).toMatchObject({
      result: 'failed',
      head_sha: null,
      error: { code: 'SECRET_IN_CHANGES', message: expect.stringContaining('config.txt') },
    });
    expect(git(world.repo, 'branch', '--list', payload.repo.branch_name)).toBe('');
    expect(log + JSON.stringify([platform.events, outcome])).not.toContain(key);
    expect(log).toContain('I use [redacted]');
  });

  it('that prints the platform’s own secrets prints nothing', async () => {
    const task = await world.start({
      sandbox,
      command:
        'echo "a plan about hunter22"; printf hunter; sleep 0.1; echo "22 and aHVudGVyMjI="; echo x > x.txt',
      payload: { redact: ['hunter22'] },
    });
    const { log, platform, printed } = await task.ended;
    expect(log).toContain('a plan about [redacted]');
    expect(log + printed + JSON.stringify(platform.events)).not.toMatch(/hunter22|aHVudGVyMjI/);
  });

  it('sees nothing of the runner’s environment in its own', async () => {
    const { log } = await world.run({
      sandbox,
      command: 'env | sort',
      environment: {
        GITHUB_TOKEN: 'leak-1',
        AWS_SECRET_ACCESS_KEY: 'leak-2',
        BGAGENT_API_KEY: 'leak-3',
        NODE_OPTIONS: '',
      },
    });
    expect(log).not.toMatch(/leak-\d/);
    const names = log.split('\n').flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? []);
    expect(names.filter((name) => !/^(_|PWD|OLDPWD|SHLVL)$/.test(name)).sort()).toEqual(
      [
        'BGAGENT_PROMPT_FILE',
        'BGAGENT_SESSION',
        'BGAGENT_SUMMARY_FILE',
        'BGAGENT_TASK_ID',
        'HOME',
        'LANG',
        'PATH',
        'TERM',
        'TMPDIR',
      ].sort(),
    );
  });

  it('leaves the bootstrap file as it was', async () => {
    const { payload } = await world.run({ sandbox, command: 'echo x > x.txt' });
    expect(
      readFileSync(join(world.folder, 'data', 'sessions', `${payload.task_id}-1`, 'bootstrap.json'), 'utf8'),
    ).toContain(payload.task_id);
  });
});

describe('an agent where there is neither sandbox nor pid namespace', () => {
  it.each([
    ['in the background', 'SLEEP & echo x > x.txt'],
    ['in a session of its own', 'setsid SLEEP >/dev/null 2>&1 & echo x > x.txt'],
    ['in a session of its own, elsewhere', '(cd /; setsid SLEEP >/dev/null 2>&1 &); echo x > x.txt'],
    [
      'without environment',
      '(setsid env -i /bin/sleep DURATION >/dev/null 2>&1 &); sleep 0.6; echo x > x.txt',
    ],
    [
      'that was seen before it left',
      'sh -c "sleep 0.6; cd /; exec setsid env -i /bin/sleep DURATION >/dev/null 2>&1" & sleep 1; echo x > x.txt',
    ],
  ])('that leaves a process behind, %s, leaves none', async (_, command) => {
    const world = await createRunnerWorld();
    try {
      // All programs but the one that makes namespaces.
      const bin = join(world.folder, 'bin');
      mkdirSync(bin);
      for (const program of ['sh', 'env', 'git', 'sleep', 'setsid'])
        symlinkSync(pathOf(program), join(bin, program));
      const sleep = uniqueSleep();
      const task = {
        command: command.replace('SLEEP', sleep).replace('DURATION', sleep.slice('sleep '.length)),
        environment: { PATH: bin },
      };
      expect((await world.run(task)).outcome).toMatchObject({ result: 'changes' });
      expect(isRunning(sleep)).toBe(false);
    } finally {
      await world.close();
    }
  });
});

const pathOf = (program: string): string => execFileSync('which', [program], { encoding: 'utf8' }).trim();
