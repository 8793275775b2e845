import { BgAgentError, type ErrorCode, messageOf } from '../task/errors.ts';
import { type CheckResult, regressions, type Verdict } from '../task/verification.ts';
import type { AgentInput, AgentModel, AgentResult, CodingAgent } from './agents/agent.ts';
import { type Exchange, writeRepairPrompt } from './exchange.ts';
import { failureOf } from './outcome.ts';
import { preview } from './output.ts';
import { watchQuota } from './quota.ts';
import { createRoom, type Room } from './room.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { hasStagedWork, setArtifactsAside, stageWork } from './stage.ts';
import {
  type CheckRuns,
  compare,
  hasChecks,
  regressionText,
  runChecks,
  verdicts,
} from './verification/checks.ts';
import { repairPrompt } from './verification/repair-prompt.ts';
import type { WorkInput } from './work-input.ts';

/** How the agent's part ended. */
export type Ending = AgentResult | { kind: 'error'; code: ErrorCode; message: string };

export interface AgentPhase {
  ending: Ending;
  /** Null when nothing was verified. */
  verification: CheckResult[] | null;
  /** The work was staged before other programs ran on the work tree. */
  staged: boolean;
}

/** Where and with what the agent works. */
export interface AgentPlace {
  sandbox: Sandbox;
  exchange: Exchange;
  agent: CodingAgent;
  model: AgentModel | null;
}

/** Setup, baseline, agent and verification, all inside the sandbox. Never throws: what went wrong is the ending. */
export async function runAgent(input: WorkInput, place: AgentPlace): Promise<AgentPhase> {
  const { payload, phases, stop, output } = input;
  const room = createRoom(input, place);
  const endWatch = watchWorkspace(input);
  const result: Omit<AgentPhase, 'ending'> = { verification: null, staged: false };
  try {
    const baseline = await setUp(input, room);
    let ending = await phases.run('agent', () => work(input, place, room));
    if (ending.kind === 'done' && hasChecks(payload.commands)) {
      const verify = (afterRepair: boolean) => verifyWork(input, { room, baseline, result, afterRepair });
      const broken = regressions(await verify(false));
      if (broken.length > 0 && payload.verification.repair) {
        const repaired = await phases.run('repair', () => repair(input, place, room, broken));
        if (repaired.kind === 'failed') {
          // What was staged is the work as it was before.
          output.note(`the repair failed: ${repaired.message}\n`);
        } else {
          await verify(true);
          ending = { kind: 'done', summary: repaired.summary ?? ending.summary };
        }
      }
    }
    return { ...result, ending };
  } catch (error) {
    return { ...result, ending: { kind: 'error', ...failureOf(stop, error) } };
  } finally {
    input.nudges.refuseRest('the agent had ended');
    endWatch();
    output.flush();
    output.end();
  }
}

/** One run of the agent, from its start until nothing of it is left. */
async function work(
  input: WorkInput,
  { exchange, agent, model }: AgentPlace,
  { start, environment }: Room,
  told: { prompt: string; promptFile: string } = {
    prompt: input.payload.prompt,
    promptFile: exchange.promptFile,
  },
): Promise<AgentResult> {
  const { payload, folders, stop, output, nudges } = input;
  if (!agent.takesNudges)
    nudges.refuseRest(`the \`${agent.type}\` agent can't be told anything while it works`);
  const ending = await agent.run({
    agent: payload.agent,
    ...told,
    summaryFile: exchange.summaryFile,
    nudgeFile: exchange.nudgeFile,
    nudges,
    workspace: folders.work,
    model,
    environment,
    signal: stop.signal,
    start,
    ...whatItSays(input),
  });
  output.flush();
  stop.signal.throwIfAborted();
  return ending;
}

/** The one chance to put right what the work broke, within what is left of time, turns and money. */
async function repair(
  input: WorkInput,
  place: AgentPlace,
  room: Room,
  broken: readonly CheckResult[],
): Promise<AgentResult> {
  // What the checks have left behind is not the agent's work, neither now nor afterwards.
  await setArtifactsAside(input);
  const prompt = repairPrompt(input.payload.prompt, broken);
  input.output.note(`${regressionText(broken)} The agent gets one chance to repair it.\n`);
  try {
    return await work(input, place, room, {
      prompt,
      promptFile: await writeRepairPrompt(input.folders, prompt),
    });
  } catch (error) {
    // That it can't be repaired is no reason to fail: the work is there.
    input.stop.signal.throwIfAborted();
    return { kind: 'failed', message: messageOf(error) };
  }
}

/** Stages the work, then runs the checks on it: what they leave behind is not committed. */
async function verifyWork(
  input: WorkInput,
  {
    room,
    baseline,
    result,
    afterRepair,
  }: { room: Room; baseline: CheckRuns; result: Omit<AgentPhase, 'ending'>; afterRepair: boolean },
): Promise<CheckResult[]> {
  const { payload, phases, reporter, output } = input;
  await stageWork(input);
  result.staged = true;
  const results = await phases.run('verify', async () =>
    compare(
      baseline,
      // Where nothing has changed, nothing can have got worse.
      (await hasStagedWork(input))
        ? await runChecks(payload.commands, payload.verification.timeout_s, room.command)
        : baseline,
    ),
  );
  result.verification = results;
  for (const { check, after, reason } of results)
    output.note(`${check} after the work: ${shown(after)}${reason === null ? '' : ` (${reason})`}\n`);
  reporter.event('verification_completed', {
    ...verdicts(results),
    regressed: regressions(results).map(({ check }) => check),
    after_repair: afterRepair,
    checks: results.map(({ output_tail: _, ...result }) => result),
  });
  return results;
}

const shown = (verdict: Verdict): string => verdict.replace('_', ' ');

/** Where what the agent tells ends up: events with short previews, and the log; both without secrets. */
function whatItSays({ reporter, output, redact }: WorkInput): Pick<AgentInput, 'onEvent' | 'print'> {
  return {
    onEvent: (type, metadata) =>
      reporter.event(
        type,
        tidied(metadata, (text) => preview(redact(text))),
      ),
    print: (text) => output.print(text),
  };
}

/** A copy with every text in it changed. */
function tidied<T extends object>(metadata: T, change: (text: string) => string): T {
  const copy = { ...metadata };
  for (const [name, value] of Object.entries(metadata))
    if (typeof value === 'string') Object.assign(copy, { [name]: change(value) });
  return copy;
}

/** The repository's own preparation, and the baseline. Throws SETUP_FAILED. What they leave behind stays out of the commit. */
async function setUp(input: WorkInput, room: Room): Promise<CheckRuns> {
  const { payload, phases, output } = input;
  const { commands, limits, verification } = payload;
  const { setup } = commands;
  if (setup !== null)
    await phases.run('setup', async () => {
      const { code, timedOut } = await room.command(setup, limits.clone_timeout_s * 1_000);
      if (timedOut)
        throw new BgAgentError(
          'SETUP_FAILED',
          `the setup command took longer than ${limits.clone_timeout_s} s (clone_timeout_s)`,
        );
      if (code !== 0) throw new BgAgentError('SETUP_FAILED', 'the setup command failed');
    });
  const baseline = hasChecks(commands)
    ? await phases.run('baseline', () => runChecks(commands, verification.timeout_s, room.command))
    : {};
  for (const [check, { verdict, reason }] of Object.entries(baseline))
    if (verdict !== 'passed') output.note(`${check} before the work: ${shown(verdict)} (${reason})\n`);
  if (setup !== null || hasChecks(commands)) await setArtifactsAside(input);
  return baseline;
}

const watchWorkspace = ({ payload: { limits }, folders, stop }: WorkInput): (() => void) =>
  watchQuota({
    folders: [folders.work, folders.home, folders.tmp, folders.exchange],
    maxFiles: limits.max_files,
    maxBytes: limits.workspace_max_mb * 1024 * 1024,
    exceeded: (message) => stop.now({ kind: 'quota', message }),
  });
