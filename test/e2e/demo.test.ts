import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModelServer } from '../fakes/model-server.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { claudeMissing } from '../fixtures/installed-agents.ts';

/** `bgagent demo` as a person starts it. What it must leave behind is nothing: no process, no folder. */

const MAIN = fileURLToPath(new URL('../../bin/bgagent.js', import.meta.url));

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bgagent-demo-test-')));
const temp = join(folder, 'tmp');
let repo: string;
let bare: string;

beforeAll(() => {
  mkdirSync(temp);
  repo = bareRepo(folder);
  bare = pathWithoutSandbox();
});
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

interface Demo {
  child: ChildProcess;
  out(): string;
  err(): string;
  ended: Promise<number | null>;
}

function demo(args: readonly string[], variables: Record<string, string> = {}): Demo {
  const child = spawn(process.execPath, [MAIN, 'demo', ...args], {
    env: { PATH: process.env.PATH, HOME: folder, TMPDIR: temp, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk;
  });
  return {
    child,
    out: () => out,
    err: () => err,
    ended: once(child, 'close').then(([code]) => code),
  };
}

/** Processes of this machine whose command line names the folder of these tests. */
const processesLeft = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        // It ended while we looked.
        return [];
      }
    })
    .filter((commandLine) => commandLine.includes(`${temp}/`));

const expectNothingLeft = (): void => {
  expect(readdirSync(temp)).toEqual([]);
  if (process.platform === 'linux') expect(processesLeft()).toEqual([]);
};

describe('the demo', () => {
  it('shows a task of its own from start to end and leaves nothing behind', async () => {
    const { ended, out, err } = demo([]);
    expect(await ended, err()).toBe(0);
    expect(out()).toMatch(
      /submitted[\s\S]*pushed[\s\S]*COMPLETED {2}changes[\s\S]*\+# Contributors[\s\S]*\+- .+ \(\d+\)[\s\S]*total/,
    );
    expectNothingLeft();
  });

  it('ends with one line of JSON, everything else on standard error', async () => {
    const { ended, out, err } = demo(['--json']);
    expect(await ended, err()).toBe(0);
    expect(JSON.parse(out())).toMatchObject({
      task_id: expect.stringMatching(/^[0-9A-Z]{26}$/),
      status: 'COMPLETED',
      outcome: 'changes',
      repo: expect.any(String),
      branch_name: expect.stringContaining('bgagent/'),
      head_sha: expect.stringMatching(/^[0-9a-f]{40}$/),
      files_changed: 1,
      timings: { agent_ms: expect.any(Number) },
      duration_ms: expect.any(Number),
      data_dir: expect.stringContaining(temp),
      api_url: expect.stringMatching(/^http:/),
    });
  });

  it("does the same with a repository and a command of one's own", async () => {
    const args = [
      '--repo',
      repo,
      '--task',
      'Say hi',
      '--agent-command',
      'echo hi > hi.txt',
      '--allow-unsandboxed',
      '--json',
    ];
    const { ended, out, err } = demo(args);
    expect(await ended, err()).toBe(0);
    const { branch_name, head_sha } = JSON.parse(out());
    expect(git(repo, 'rev-parse', branch_name)).toBe(head_sha);
    expect(git(repo, 'show', `${branch_name}:hi.txt`)).toBe('hi');
    expectNothingLeft();
  });

  const noClaude = claudeMissing();
  it.skipIf(noClaude)(
    `lets Claude work at a server that speaks the Anthropic API (R3, N2)${noClaude ? ` (skipped: ${noClaude})` : ''}`,
    async () => {
      const server = await createModelServer();
      server.script({
        text: 'I say hi.',
        tools: [
          {
            name: 'Bash',
            input: { command: '{ env; cat /proc/*/environ; } 2>&1 | rev > seen.txt', description: 'Looks' },
          },
        ],
      });
      const args = ['--repo', repo, '--task', 'Say hi', '--agent', 'claude', '--allow-unsandboxed', '--json'];
      const secret = 'any-key-that-is-planted';
      const { ended, out, err } = demo(args, { ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: secret });
      expect(await ended, err()).toBe(0);
      const { branch_name, outcome } = JSON.parse(out());
      expect(outcome).toBe('changes');
      expect(server.requests.map(({ headers }) => headers['x-api-key'])).toEqual([secret, secret]);
      expect(git(repo, 'show', `${branch_name}:seen.txt`)).not.toContain([...secret].reverse().join(''));
      expect(out() + err()).not.toContain(secret);
      await server.close();
      expectNothingLeft();
    },
  );

  it("refuses a command of one's own where no sandbox can be had, and says what to install", async () => {
    const args = ['--repo', repo, '--agent-command', 'echo hi > hi.txt'];
    const { ended, out } = demo(args, { PATH: bare });
    expect(await ended).toBe(1);
    expect(out()).toMatch(/FAILED[\s\S]*No sandbox[\s\S]*(install|bubblewrap)/i);
    expectNothingLeft();
  });

  it('runs its own command without a sandbox there, and says so', async () => {
    const { ended, out, err } = demo([], { PATH: bare });
    expect(await ended, err()).toBe(0);
    expect(out()).toContain('There is no sandbox here');
  });

  it('stops everything on Ctrl-C', async () => {
    const started = demo(['--repo', repo, '--agent-command', 'echo at it; sleep 300', '--allow-unsandboxed']);
    const { promise: working, resolve } = Promise.withResolvers<void>();
    started.child.stdout?.on('data', () => {
      if (/output +at it/.test(started.out())) resolve();
    });
    await Promise.race([working, started.ended]);
    started.child.kill('SIGINT');
    expect(await started.ended, started.err()).toBe(130);
    expectNothingLeft();
  });

  it('stops everything when the target can not be reached', async () => {
    const { ended, err, out } = demo(['--repo', join(folder, 'nowhere')]);
    expect(await ended).toBe(1);
    expect(out() + err()).toMatch(/to do/);
    expectNothingLeft();
  });

  it('leaves the platform running when it is asked to', async () => {
    const { ended, out, err } = demo(['--keep', '--json']);
    expect(await ended, err()).toBe(0);
    const { api_url, data_dir, pid, task_id } = JSON.parse(out());
    try {
      const { api_key } = JSON.parse(readFileSync(join(data_dir, 'client.json'), 'utf8'));
      const answer = await fetch(`${api_url}/v1/tasks/${task_id}`, { headers: { 'X-API-Key': api_key } });
      expect(await answer.json()).toMatchObject({ data: { status: 'COMPLETED' } });
    } finally {
      process.kill(pid, 'SIGTERM');
      await gone(pid);
      rmSync(join(data_dir, '..'), { recursive: true, force: true, maxRetries: 5 });
    }
    expectNothingLeft();
  });

  it('asks who is to do a task that is not its own', async () => {
    const { ended, err } = demo(['--task', 'Do wonders']);
    expect(await ended).toBe(2);
    expect(err()).toContain('--agent-command');
  });
});

/** A folder to be the whole PATH: everything that the demo needs, but not the sandbox's programs. */
function pathWithoutSandbox(): string {
  const tools = join(folder, 'bin');
  mkdirSync(tools);
  const programs = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((path) => existsSync(path))
    .flatMap((path) => readdirSync(path).map((name) => join(path, name)));
  for (const program of programs) {
    const link = join(tools, basename(program));
    if (!/^(bwrap|socat|rg)$/.test(basename(program)) && !existsSync(link)) symlinkSync(program, link);
  }
  return tools;
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return;
      throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
