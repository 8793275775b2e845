import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { git } from '../fixtures/git-repo.ts';
import { describeHostileAgent } from '../fixtures/hostile.ts';
import { fileOnBranch, filesOnBranch } from '../fixtures/runner.ts';

describeHostileAgent('plays with files and secrets', ({ world, sandbox }) => {
  it('that leaves pipes, sockets and files that can’t be read gets the rest committed', async () => {
    const { outcome, payload } = await world().run({
      sandbox,
      command: 'mkfifo pipe; rm README.md; mkfifo README.md; echo x > x.txt; echo y > y.txt; chmod 000 y.txt',
    });
    expect(outcome?.result).toBe('changes');
    expect(filesOnBranch(world().repo, payload.repo.branch_name)).toContain('x.txt');
    expect(filesOnBranch(world().repo, payload.repo.branch_name)).not.toContain('pipe');
  });

  it('that puts a link or a pipe in place of its summary is not followed', async () => {
    const secret = join(world().folder, 'secret.txt');
    writeFileSync(secret, 'the secret of someone else');
    const linked = await world().run({
      sandbox,
      command: `ln -s ${secret} "$BGAGENT_SUMMARY_FILE"; echo x > x.txt`,
    });
    expect(linked.outcome).toMatchObject({ result: 'changes', summary: null });
    const piped = await world().run({ sandbox, command: 'mkfifo "$BGAGENT_SUMMARY_FILE"; echo x > x.txt' });
    expect(piped.outcome).toMatchObject({ result: 'changes', summary: null });
  });

  it('that links out of the workspace gets the link committed, not what it leads to', async () => {
    const secret = join(world().folder, 'secret.txt');
    writeFileSync(secret, 'the secret of someone else');
    mkdirSync(join(world().folder, 'victim'));
    const { outcome, payload } = await world().run({
      sandbox,
      command: `ln -s ${secret} link; ln -s ${world().folder}/victim folder; echo x > x.txt`,
    });
    expect(outcome?.diff).not.toContain('someone else');
    expect(fileOnBranch(world().repo, payload.repo.branch_name, 'link')).toBe(secret);
  });

  it('that puts a secret into a file is stopped before the push, and the secret is told nowhere', async () => {
    const key = `ghp_${'a1B2'.repeat(9)}`;
    const { outcome, payload, log, platform } = await world().run({
      sandbox,
      command: `echo "token=${key}" > config.txt; echo "I use ${key}"`,
    });
    expect(outcome).toMatchObject({
      result: 'failed',
      head_sha: null,
      error: { code: 'SECRET_IN_CHANGES', message: expect.stringContaining('config.txt') },
    });
    expect(git(world().repo, 'branch', '--list', payload.repo.branch_name)).toBe('');
    expect(log + JSON.stringify([platform.events, outcome])).not.toContain(key);
    expect(log).toContain('I use [redacted]');
  });

  it.each([
    [
      'a file that attributes call binary',
      'echo "* -diff" > .gitattributes; echo "k=KEY" > config.txt',
      'config.txt',
    ],
    ['the name of a file', 'echo x > KEY', 'the name of a file'],
    ['a link', 'ln -s /KEY link', 'link'],
    [
      'a private key of several lines',
      'echo "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----" > id',
      'id',
    ],
    ['the platform’s own in base64', 'printf "u:hunter22-of-octo" | base64 > x.txt', 'x.txt'],
  ])('that hides a secret in %s is stopped as well', async (_, attack, where) => {
    const key = `ghp_${'a1B2'.repeat(9)}`;
    const { outcome, payload } = await world().run({
      sandbox,
      command: attack.replace('KEY', key),
      payload: { redact: ['hunter22-of-octo'] },
    });
    expect(outcome).toMatchObject({
      result: 'failed',
      error: { code: 'SECRET_IN_CHANGES', message: expect.stringContaining(where) },
    });
    expect(JSON.stringify(outcome)).not.toContain(key);
    expect(git(world().repo, 'branch', '--list', payload.repo.branch_name)).toBe('');
  });

  it('that prints the platform’s own secrets prints nothing', async () => {
    const task = await world().start({
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
    const { log } = await world().run({
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
        'BGAGENT_AGENT_OF',
        'BGAGENT_NUDGE_FILE',
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
    const { payload } = await world().run({ sandbox, command: 'echo x > x.txt' });
    expect(
      readFileSync(
        join(world().folder, 'data', 'sessions', `${payload.task_id}-1`, 'bootstrap.json'),
        'utf8',
      ),
    ).toContain(payload.task_id);
  });
});
