import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TaskEvent } from '../src/task/events.ts';
import { call, type RunningPlatform, startUp } from '../test/e2e/platform.ts';
import { createModelServer } from '../test/fakes/model-server.ts';
import { bareRepo } from '../test/fixtures/git-repo.ts';
import { claudeMissing } from '../test/fixtures/installed-agents.ts';
import { sandboxMissing } from '../test/fixtures/runner.ts';
import { type Bench, type Figure, figureOf } from './figure.ts';

/** How long a session takes until Claude asks its model for the first time. */
export const benches: Bench[] = [{ name: 'claude_first_turn_ms', run: measure }];

const WARM_UP = 2;
const ROUNDS = 15;

interface Round {
  events: TaskEvent[];
  /** When the first request was at the model server. */
  askedAt: number;
}

/** The whole platform with the real Claude Agent SDK in the sandbox; only the model is scripted. */
async function measure(): Promise<Figure[]> {
  const missing = claudeMissing() ?? (await sandboxMissing());
  if (missing !== undefined) throw new Error(missing);
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-bench-'));
  const repo = bareRepo(folder);
  let askedAt: number | undefined;
  const server = await createModelServer({
    answer() {
      askedAt ??= Date.now();
      return { text: 'There is nothing to do.' };
    },
  });
  const platform = await startUp(join(folder, 'data'), {
    ANTHROPIC_API_KEY: 'key-of-a-scripted-model',
    ANTHROPIC_BASE_URL: server.url,
  });
  try {
    await call(platform, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, {
      compute_type: 'local',
      agent: 'claude',
    });
    const rounds: Round[] = [];
    for (let n = -WARM_UP; n < ROUNDS; n += 1) {
      askedAt = undefined;
      const events = await runOnce(platform, repo);
      if (askedAt === undefined) throw new Error('the model was not asked');
      if (n >= 0) rounds.push({ events, askedAt });
    }
    return figures(rounds);
  } finally {
    await platform.end('SIGTERM');
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function runOnce(platform: RunningPlatform, repo: string): Promise<TaskEvent[]> {
  const { data } = await call<{ task_id: string }>(platform, 'POST', '/v1/tasks', {
    repo,
    task_description: 'Say hello',
  });
  for (;;) {
    const { data: events } = await call<TaskEvent[]>(
      platform,
      'GET',
      `/v1/tasks/${data.task_id}/events?limit=100`,
    );
    const last = events.at(-1);
    if (last?.event_type === 'task_completed') return events;
    if (last && /^task_(failed|cancelled|timed_out)$/.test(last.event_type))
      throw new Error(`the task ended with ${last.event_type}: ${JSON.stringify(last.metadata)}`);
    await delay(50);
  }
}

/** From the decision to start a session to the first request, and where the time goes; medians. */
function figures(rounds: readonly Round[]): Figure[] {
  const at =
    (type: string, metadata: Record<string, unknown> = {}) =>
    ({ events }: Round): number => {
      const found = events.find(
        (event) =>
          event.event_type === type &&
          Object.entries(metadata).every(([name, value]) => event.metadata[name] === value),
      );
      if (!found) throw new Error(`no ${type} event`);
      return Date.parse(found.timestamp);
    };
  const asked = ({ askedAt }: Round): number => askedAt;
  const begun = at('hydration_complete');
  const between = (name: string, from: (round: Round) => number, to: (round: Round) => number): Figure =>
    figureOf(
      name,
      'ms',
      rounds.map((round) => to(round) - from(round)),
    );
  const agent = at('phase_started', { phase: 'agent' });
  const ready = at('agent_milestone', { milestone: 'agent_ready' });
  return [
    between('claude_first_turn_ms', begun, asked),
    between('claude_first_turn.start_session_ms', begun, at('session_started')),
    between('claude_first_turn.start_runner_ms', at('session_started'), at('runner_started')),
    between('claude_first_turn.workspace_and_sandbox_ms', at('runner_started'), agent),
    between('claude_first_turn.start_sdk_ms', agent, ready),
    between('claude_first_turn.first_request_ms', ready, asked),
  ];
}
