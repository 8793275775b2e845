import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TaskEvent } from '../../src/task/events.ts';
import type { Task } from '../../src/task/task.ts';
import { createModelServer, type ModelServer } from '../fakes/model-server.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { claudeMissing, codexMissing } from '../fixtures/installed-agents.ts';
import { call, type RunningPlatform, startUp } from './platform.ts';

/** The platform is killed in the middle of an agent's work, which goes on, and is started again. */

const PARTS = [
  'echo one > one.txt; until test -f go; do sleep 0.05; done; rm go',
  'echo two > two.txt',
] as const;
/** Of a call at the prices below: $0.21. */
const USAGE = { input: 100_000, output: 1_000 };
const PRICE = { input: 2, output: 10 };
const WITHIN = { timeout: 30_000, interval: 50 };

const AGENTS = [
  { agent: 'command', missing: undefined, tool: undefined },
  {
    agent: 'claude',
    missing: claudeMissing(),
    tool: (command: string) => ({ name: 'Bash', input: { command, description: 'Does it' } }),
  },
  {
    agent: 'codex',
    missing: await codexMissing(),
    tool: (cmd: string) => ({ name: 'exec_command', input: { cmd, yield_time_ms: 30_000 } }),
  },
];

describe.each(AGENTS)('$agent', ({ agent, missing, tool }) => {
  const skipped = missing === undefined ? '' : ` (skipped: ${missing})`;
  let folder: string;
  let dataDir: string;
  let repo: string;
  let model: ModelServer;
  let platform: RunningPlatform | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bgagent-e2e-'));
    dataDir = join(folder, 'data');
    repo = bareRepo(folder);
    model = await createModelServer();
    if (tool) model.script(...PARTS.map((part) => ({ tools: [tool(part)], usage: USAGE })));
    model.script({ text: 'Both are there.', usage: USAGE });
  });
  afterEach(async () => {
    await platform?.end('SIGTERM');
    await model.close();
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (): Promise<RunningPlatform> => {
    platform = await startUp(dataDir, {
      BGAGENT_SANDBOX: 'off',
      BGAGENT_LOG_LEVEL: 'warn',
      BGAGENT_MODEL_PRICES: JSON.stringify({ priced: PRICE }),
      BGAGENT_CLAUDE_MODEL: 'priced',
      BGAGENT_CLAUDE_SMALL_MODEL: 'priced',
      BGAGENT_CODEX_MODEL: 'priced',
      ANTHROPIC_API_KEY: 'key-of-a-scripted-model',
      ANTHROPIC_BASE_URL: model.url,
      OPENAI_API_KEY: 'key-of-a-scripted-model',
      OPENAI_BASE_URL: model.url,
    });
    return platform;
  };
  const get = async <T>(path: string): Promise<T> => {
    if (!platform) throw new Error('the platform is down');
    return (await call<T>(platform, 'GET', path)).data;
  };

  /** Kills the platform while the agent works, lets the agent go on, and starts the platform again; returns the ended task. */
  async function throughDeath(maxBudgetUsd: number, endsAlone: () => boolean): Promise<Task> {
    const first = await start();
    await call(first, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, {
      agent,
      agent_command: PARTS.join('; '),
    });
    const { data } = await call<Task>(first, 'POST', '/v1/tasks', {
      repo,
      task_description: 'Say hello',
      max_budget_usd: maxBudgetUsd,
    });
    const work = join(dataDir, 'work', 'runs', `${data.task_id}-1`, 'work');
    await vi.waitFor(() => expect(existsSync(join(work, 'one.txt'))).toBe(true), WITHIN);
    expect(await first.end('SIGKILL')).toBe('SIGKILL');
    writeFileSync(join(work, 'go'), '');
    await vi.waitFor(() => expect(endsAlone() || !existsSync(work)).toBe(true), WITHIN);
    await start();
    return vi.waitFor(async () => {
      const task = await get<Task>(`/v1/tasks/${data.task_id}`);
      expect(task.completed_at).not.toBeNull();
      return task;
    }, WITHIN);
  }

  const onBranch = ({ head_sha }: Task, file: string): string => git(repo, 'show', `${head_sha}:${file}`);

  it.skipIf(missing)(
    `goes on when the platform dies, and ends once, with all it cost${skipped}`,
    async () => {
      const calls = tool ? 3 : 0;
      const task = await throughDeath(5, () => model.requests.length >= calls);
      expect(task).toMatchObject({ status: 'COMPLETED', outcome: 'changes', attempt: 1 });
      expect([onBranch(task, 'one.txt'), onBranch(task, 'two.txt')]).toEqual(['one', 'two']);
      const types = (await get<TaskEvent[]>(`/v1/tasks/${task.task_id}/events?limit=100`)).map(
        ({ event_type }) => event_type,
      );
      for (const once of ['session_started', 'runner_started', 'outcome_reported', 'task_completed'])
        expect(
          types.filter((type) => type === once),
          once,
        ).toHaveLength(1);
      if (tool) {
        expect(task.turns_completed).toBe(calls);
        expect(task.cost_usd).toBeCloseTo(calls * 0.21);
      }
    },
  );

  it.runIf(tool && missing === undefined)(
    'is held to its budget while the platform is gone (R3)',
    async () => {
      const task = await throughDeath(0.3, () => model.requests.length >= 2);
      expect(task).toMatchObject({
        status: 'FAILED',
        partial: true,
        error_classification: { errorClass: 'BUDGET_REACHED' },
      });
      expect(task.cost_usd).toBeCloseTo(0.42);
      expect(model.requests).toHaveLength(2);
      expect(onBranch(task, 'two.txt')).toBe('two');
    },
  );
});
