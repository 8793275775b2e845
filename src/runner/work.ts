import { messageOf } from '../task/errors.ts';
import type { OutcomeReport } from '../task/protocol.ts';
import type { CheckResult } from '../task/verification.ts';
import { runAgent } from './agent-phase.ts';
import type { CodingAgent } from './agents/agent.ts';
import { loadAgent } from './agents/registry.ts';
import { deliver } from './deliver.ts';
import { createExchange, readSummary, SUMMARY_LENGTH } from './exchange.ts';
import { keepUpMirrors } from './mirror-upkeep.ts';
import { type ModelGateway, openModel } from './model.ts';
import { emptyOutcome, fail, failureOf } from './outcome.ts';
import { prepare } from './prepare.ts';
import { regressionText, verdicts } from './verification/checks.ts';
import type { WorkInput } from './work-input.ts';

/**
 * The whole work of a task: clone, agent, verification, commit, push. Always resolves to an outcome but for a session that is
 * not wanted any more; what there is when it's stopped early is pushed as partial.
 */
export async function doWork(input: WorkInput): Promise<OutcomeReport> {
  const { payload, phases, stop } = input;
  const outcome = emptyOutcome();
  try {
    const agent = await loadAgent(payload.agent.type);
    const agentFolders = (await agent.readable?.(input.environment)) ?? [];
    const gateway = agent.speaks ? await openModel(input, agent.speaks) : undefined;
    try {
      await workWith(input, { agent, agentFolders, gateway }, outcome);
    } finally {
      Object.assign(outcome, gateway?.spent());
      await gateway?.close();
    }
  } catch (error) {
    if (stop.reason?.kind === 'unwanted') throw error;
    fail(outcome, stop, failureOf(stop, error));
  }
  outcome.timings = {
    clone_ms: phases.durationMs('clone'),
    agent_ms: phases.durationMs('agent', 'repair'),
    verify_ms: phases.durationMs('setup', 'baseline', 'verify'),
    push_ms: phases.durationMs('commit', 'push'),
  };
  tellBranch(input, outcome);
  return outcome;
}

interface Means {
  agent: CodingAgent;
  agentFolders: readonly string[];
  gateway: ModelGateway | undefined;
}

async function workWith(
  given: WorkInput,
  { agent, agentFolders, gateway }: Means,
  outcome: OutcomeReport,
): Promise<void> {
  const gatewayPort = gateway?.port ?? null;
  const ended = new AbortController();
  const { workspace, sandbox, payload } = await prepare(given, { agentFolders, gatewayPort });
  const input = { ...given, payload };
  gateway?.limit(payload.limits);
  const deadline = setTimeout(
    () => input.stop.now({ kind: 'timed-out' }),
    Math.max(0, Date.parse(payload.limits.deadline_at) - input.now()),
  );
  try {
    // While the agent works, this process has nothing else to do.
    void keepUp(input, AbortSignal.any([input.stop.signal, ended.signal]));
    const exchange = await createExchange(input.folders.exchange, payload.prompt);
    const result = await runAgent(input, { sandbox, exchange, agent, model: gateway?.model ?? null });
    const summary =
      (result.ending.kind === 'done' ? result.ending.summary : null) ?? (await readSummary(exchange));
    Object.assign(outcome, verified(result.verification, summary));
    await deliver(input, { workspace, exchange }, result, outcome);
  } finally {
    clearTimeout(deadline);
    ended.abort();
    await sandbox.close();
  }
}

/** A verification that got worse is said, whatever the agent says. */
function verified(
  verification: CheckResult[] | null,
  summary: string | null,
): Pick<OutcomeReport, 'verification' | 'build_passed' | 'lint_passed' | 'summary'> {
  const results = verification ?? [];
  const worse = regressionText(results);
  return {
    verification,
    ...verdicts(results),
    summary:
      worse === undefined
        ? summary
        : [summary?.slice(0, SUMMARY_LENGTH - worse.length - 2), worse].filter(Boolean).join('\n\n'),
  };
}

async function keepUp({ git, workDir, payload, now, output }: WorkInput, signal: AbortSignal): Promise<void> {
  try {
    const maxBytes = payload.limits.cache_max_mb * 1024 * 1024;
    await keepUpMirrors({ git, workDir, maxBytes, now, signal });
  } catch (error) {
    if (!signal.aborted)
      output.note(`the mirrors of this machine were not looked after: ${messageOf(error)}\n`);
  }
}

function tellBranch(
  { reporter }: WorkInput,
  { branch_name, head_sha, diff_stat, partial }: OutcomeReport,
): void {
  if (branch_name === null || head_sha === null || !diff_stat) return;
  reporter.event('branch_pushed', { branch_name, head_sha, files_changed: diff_stat.files_changed, partial });
}
