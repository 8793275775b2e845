import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createModelServer } from '../../test/fakes/model-server.ts';
import { claudeClosedToOthers } from '../../test/fixtures/installed-agents.ts';
import {
  createRunnerWorld,
  fileOnBranch,
  isRunning,
  type RunnerWorld,
  SIGNATURE,
} from '../../test/fixtures/runner.ts';

/** What root may do in a container as Docker, Fargate and the like start it: not, for one, look into other users' processes. */
const CAPABILITIES =
  '+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap';
const IN_CONTAINER = ['setpriv', `--bounding-set=-all,${CAPABILITIES}`];
const RUNNER = [process.execPath, fileURLToPath(new URL('main.ts', import.meta.url))];

/** One that nobody else on this machine is. */
const agentUser = () => {
  const id = 100_000 + Math.floor(Math.random() * 1_000_000_000);
  return { uid: id, gid: id };
};

const isRoot = process.getuid?.() === 0;
let world: RunnerWorld;
beforeEach(async () => {
  world = await createRunnerWorld({
    files: { 'README.md': 'hello\n', 'run.sh': 'echo old\n' },
    runner: isRoot ? [...IN_CONTAINER, ...RUNNER] : RUNNER,
  });
  mkdirSync(join(world.folder, 'data'), { recursive: true });
});
afterEach(() => world.close());

const noClaude = claudeClosedToOthers();
if (noClaude !== undefined) process.stdout.write(`skipped: Claude as another user: ${noClaude}\n`);
if (!isRoot) process.stdout.write('skipped: agents of another user: only root can give them one\n');

describe.runIf(isRoot)('an agent of another user', () => {
  it('works in its workspace, which the runner commits and pushes', async () => {
    const user = agentUser();
    const command = 'id -u > who.txt; id -G > groups.txt; echo new > run.sh; git status --short > status.txt';
    const { outcome, payload, log, printed } = await world.run({ command, agentUser: user, byAddress: true });
    expect({ result: outcome?.result, error: outcome?.error, printed }).toEqual({
      result: 'changes',
      error: null,
      printed: '',
    });
    const shown = (file: string) => fileOnBranch(world.repo, payload.repo.branch_name, file)?.trim();
    expect(shown('who.txt')).toBe(String(user.uid));
    expect(shown('groups.txt')).toBe(String(user.gid));
    expect(shown('status.txt')).toMatch(/^M run\.sh$/m);
    expect(log).toContain('a user of its own');
  });

  it('reads neither the runner’s environment, memory and files nor its bootstrap', async () => {
    const secret = join(world.folder, 'data', 'secret.txt');
    writeFileSync(secret, 'the-platforms-secret\n', { mode: 0o600 });
    const attempts = [
      // The runner is the parent of what it has started.
      'for p in /proc/[0-9]*; do cat $p/environ; cat $p/mem; readlink $p/cwd; ls $p/fd; done',
      `cat ${secret}; ls ${join(world.folder, 'data')} ${world.workDir}`,
      `cat ${world.folder}/data/sessions/*/bootstrap.json ../git/config ../git/HEAD; ls .. ../..`,
      'env',
    ];
    const command = `{ ${attempts.join('; ')}; } > seen.txt 2>/dev/null; id -u >> seen.txt; exit 0`;
    const { outcome, payload, platform } = await world.run({
      command,
      agentUser: agentUser(),
      byAddress: true,
    });
    expect(outcome?.result).toBe('changes');
    const seen = fileOnBranch(world.repo, payload.repo.branch_name, 'seen.txt') ?? '';
    // It sees its own, so it did look.
    expect(seen).toContain(`BGAGENT_TASK_ID=${payload.task_id}`);
    expect(seen).not.toContain(platform.token);
    expect(seen).not.toContain(SIGNATURE);
    expect(seen).not.toContain('the-platforms-secret');
    expect(seen).not.toContain('repositoryformatversion');
  });

  it('can not become root again, nor change what is not its own', async () => {
    const command = [
      '{ setpriv --reuid=0 true && echo root; su -c id && echo su; kill -9 $PPID && echo killed; } > out.txt 2>/dev/null',
      'echo x > ../git/HEAD && echo wrote >> out.txt',
      `touch ${world.folder}/data/mine && echo outside >> out.txt`,
      'grep NoNewPrivs /proc/self/status >> out.txt; grep CapEff /proc/self/status >> out.txt',
    ].join('; ');
    const { outcome, payload } = await world.run({ command, agentUser: agentUser() });
    expect(outcome?.error).toBe(null);
    const out = fileOnBranch(world.repo, payload.repo.branch_name, 'out.txt') ?? '';
    expect(out.replaceAll('\t', ' ').split('\n')).toEqual(['NoNewPrivs: 1', 'CapEff: 0000000000000000']);
  });

  it('hears what people say, and is heard', async () => {
    const command =
      'while ! grep -q hurry "$BGAGENT_NUDGE_FILE" 2>/dev/null; do sleep 0.05; done; echo x > x.txt; echo "as told" > "$BGAGENT_SUMMARY_FILE"; cat "$BGAGENT_PROMPT_FILE" > prompt.txt';
    const task = await world.start({ command, agentUser: agentUser() });
    task.platform.reply = {
      cancel_requested: false,
      nudges: [{ nudge_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV', message: 'hurry' }],
    };
    const { outcome } = await task.ended;
    expect(outcome).toMatchObject({ result: 'changes', summary: 'as told' });
  });

  it.skipIf(noClaude !== undefined)('may be Claude, by way of the model gateway', async () => {
    const server = await createModelServer({
      answer: ({ text }) =>
        text.includes('tool_result')
          ? { text: 'Done.' }
          : { tools: [{ name: 'Bash', input: { command: 'id -u > who.txt', description: 'Does it' } }] },
    });
    try {
      const user = agentUser();
      const { outcome, payload } = await world.run({
        agentUser: user,
        payload: { agent: { type: 'claude', command: null, model_id: null } },
        model: {
          provider: 'anthropic',
          base_url: server.url,
          auth: 'api_key',
          secret: 'planted-upstream-secret',
          main_model: 'claude-sonnet-5-5',
          small_model: 'claude-haiku-5-5',
          prices: {},
        },
      });
      expect(outcome?.error).toBe(null);
      expect(fileOnBranch(world.repo, payload.repo.branch_name, 'who.txt')).toBe(String(user.uid));
    } finally {
      await server.close();
    }
  });

  it('leaves no daemon, however well it hides', async () => {
    const mark = `sleep 9${Date.now() % 1_000_000}`;
    const command = `echo x > x.txt; (cd / && env -i setsid ${mark} >/dev/null 2>&1 &) ; sleep 0.1`;
    const { outcome } = await world.run({ command, agentUser: agentUser() });
    expect(outcome?.result).toBe('changes');
    expect(isRunning(mark)).toBe(false);
  });

  it('leads no file of the runner’s to be handed over', async () => {
    // A link of the agent's that the runner would follow when it gives the second program its files.
    const target = join(world.folder, 'data', 'secret.txt');
    writeFileSync(target, 'the-platforms-secret\n', { mode: 0o600 });
    const { outcome, payload } = await world.run({
      command: `ln -s ${target} link; ln ${target} hard 2>/dev/null; cat link hard 2>/dev/null > got.txt; echo x > x.txt`,
      agentUser: agentUser(),
      payload: { commands: { setup: `ln -s ${target} link0`, build: 'true', lint: null, test: null } },
    });
    expect(outcome?.result).toBe('changes');
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'got.txt')).toBe('');
  });

  it('is killed at once when the runner is told to end, and what there is gets pushed', async () => {
    const mark = `sleep 8${Date.now() % 1_000_000}`;
    const task = await world.start({
      command: `echo half > half.txt; echo ready; ${mark}`,
      agentUser: agentUser(),
    });
    await task.platform.seen('agent_output');
    task.process.kill('SIGTERM');
    const { outcome, payload } = await task.ended;
    expect(outcome).toMatchObject({ result: 'cancelled', partial: true });
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'half.txt')).toBe('half');
    expect(isRunning(mark)).toBe(false);
  });
});

describe('a runner that is given an address', () => {
  it('ends without a trace when its bootstrap is gone', async () => {
    const task = await world.start({ command: 'echo x > x.txt', byAddress: true });
    task.platform.bootstrap = undefined;
    const { exitCode, printed, events } = await task.ended;
    expect({ exitCode, events }).toEqual({ exitCode: 3, events: [] });
    expect(printed).toContain('the bootstrap at 127.0.0.1');
    expect(printed).not.toContain(SIGNATURE);
  });

  it('says what is wrong with what lies there', async () => {
    const task = await world.start({ command: 'echo x > x.txt', byAddress: true });
    task.platform.bootstrap = { task_id: 'x', attempt: 1, token: 't', api_url: 'none' };
    const { exitCode, printed } = await task.ended;
    expect(exitCode).toBe(1);
    expect(printed).toContain('is no bootstrap: api_url is wrong');
  });
});
