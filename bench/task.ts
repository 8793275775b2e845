import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskEvent } from '../src/task/events.ts';
import { call, type RunningPlatform, startUp } from '../test/e2e/platform.ts';
import { bareRepo } from '../test/fixtures/git-repo.ts';
import { type Bench, type Figure, figureOf } from './figure.ts';

const WARM_UP = 3;
const ROUNDS = 25;
/** The agent's first instruction: print the time, in nanoseconds since the epoch. */
const AGENT = 'date +%s%N; echo done > done.txt';

interface Round {
  /** Milliseconds from the answer to POST until the agent's first instruction. */
  submitToAgent: number;
  /** Milliseconds from the runner's outcome report until an SSE reader has the terminal event. */
  outcomeToTerminal: number;
  events: TaskEvent[];
  answeredAt: number;
  agentAt: number;
}

export const benches: Bench[] = [
  {
    name: 'submit_to_agent_ms',
    also: ['outcome_to_terminal_ms', 'idle_platform_mb'],
    run: () => measure(true),
  },
  { name: 'submit_to_agent_unsandboxed_ms', run: () => measure(false) },
];

async function measure(sandbox: boolean): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-bench-'));
  const repo = bareRepo(folder);
  const platform = await startUp(join(folder, 'data'), sandbox ? {} : { BGAGENT_SANDBOX: 'off' });
  try {
    const idleMb = await residentMb(platform.process.pid ?? 0);
    await call(platform, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, {
      compute_type: 'local',
      agent: 'command',
      agent_command: AGENT,
    });
    const rounds: Round[] = [];
    for (let n = 0; n < WARM_UP + ROUNDS; n += 1) {
      const round = await runOnce(platform, repo, n);
      if (n >= WARM_UP) rounds.push(round);
    }
    const suffix = sandbox ? '' : '_unsandboxed';
    return [
      figureOf(
        `submit_to_agent${suffix}_ms`,
        'ms',
        rounds.map((round) => round.submitToAgent),
      ),
      ...phases(rounds, suffix),
      figureOf(
        `outcome_to_terminal${suffix}_ms`,
        'ms',
        rounds.map((round) => round.outcomeToTerminal),
      ),
      ...(sandbox ? [figureOf('idle_platform_mb', 'MB', [idleMb])] : []),
    ];
  } finally {
    await platform.end('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  }
}

async function runOnce(platform: RunningPlatform, repo: string, n: number): Promise<Round> {
  const { data } = await call<{ task_id: string }>(platform, 'POST', '/v1/tasks', {
    repo,
    task_description: `Round ${n}`,
  });
  const answeredAt = Date.now();
  const terminalAt = await terminalSeen(platform, data.task_id);
  const { data: events } = await call<TaskEvent[]>(
    platform,
    'GET',
    `/v1/tasks/${data.task_id}/events?limit=100`,
  );
  const last = events.at(-1);
  if (last?.event_type !== 'task_completed')
    throw new Error(`round ${n} ended with ${last?.event_type}: ${JSON.stringify(last?.metadata)}`);
  const log = await (
    await fetch(`${platform.apiUrl}/v1/tasks/${data.task_id}/logs`, {
      headers: { 'x-api-key': platform.apiKey },
    })
  ).text();
  const printed = /\b(\d{19})\b/.exec(log)?.[1];
  if (printed === undefined) throw new Error(`the agent's time is not in the log: ${log.slice(0, 500)}`);
  const agentAt = Number(BigInt(printed) / 1_000n) / 1_000;
  return {
    submitToAgent: agentAt - answeredAt,
    outcomeToTerminal: terminalAt - timeOf(events, 'outcome_reported'),
    events,
    answeredAt,
    agentAt,
  };
}

/** When an SSE reader that follows the task has its terminal event. */
async function terminalSeen(platform: RunningPlatform, taskId: string): Promise<number> {
  const answer = await fetch(`${platform.apiUrl}/v1/tasks/${taskId}/stream`, {
    headers: { 'x-api-key': platform.apiKey },
  });
  if (!answer.body) throw new Error('no stream');
  let text = '';
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (/task_(completed|failed|cancelled|timed_out)/.test(text)) return Date.now();
  }
  throw new Error('the stream ended without a terminal event');
}

const timeOf = (events: TaskEvent[], type: string): number => {
  const event = events.find(({ event_type }) => event_type === type);
  if (!event) throw new Error(`no ${type} event`);
  return Date.parse(event.timestamp);
};

/** Where the time from submit to agent goes, as medians. */
function phases(rounds: Round[], suffix: string): Figure[] {
  const between = (name: string, from: (round: Round) => number, to: (round: Round) => number): Figure =>
    figureOf(
      `submit_to_agent${suffix}.${name}_ms`,
      'ms',
      rounds.map((round) => to(round) - from(round)),
    );
  const at = (type: string) => (round: Round) => timeOf(round.events, type);
  return [
    between('admit', at('task_created'), at('admission_granted')),
    between('hydrate', at('admission_granted'), at('hydration_complete')),
    between('start_session', at('hydration_complete'), at('session_started')),
    between('start_runner', at('session_started'), at('runner_started')),
    between('workspace_and_agent', at('runner_started'), (round) => round.agentAt),
  ];
}

async function residentMb(pid: number): Promise<number> {
  const kb = /^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return Math.round(Number(kb) / 1024);
}
