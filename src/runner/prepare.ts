import { checkBranchName } from '../forge/git/branch.ts';
import { parseRemote } from '../forge/git/remote.ts';
import { createBlockedHosts } from './blocked-hosts.ts';
import { layOutMirror } from './mirror.ts';
import { planSandbox } from './open-sandbox.ts';
import { sandboxPolicy } from './policy.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { mirrorInput, type WorkInput } from './work-input.ts';
import { createWorkspace, layOutFolders, type Workspace } from './workspace.ts';

/** What the sandbox has to let the agent get at, besides its workspace. */
export interface AgentNeeds {
  agentFolders: readonly string[];
  gatewayPort: number | null;
}

/** Clone and sandbox at the same time: neither needs the other. */
export async function prepare(
  input: WorkInput,
  needs: AgentNeeds,
): Promise<{ workspace: Workspace; sandbox: Sandbox }> {
  const { payload, folders, workDir, environment, phases, output, reporter } = input;
  // Before any of them becomes a path or an argument.
  for (const branch of [payload.repo.base_branch, payload.repo.branch_name]) checkBranchName(branch);
  parseRemote(payload.repo.url);
  await Promise.all([layOutFolders(folders), layOutMirror(mirrorInput(input))]);
  const plan = await planSandbox(payload.sandbox.mode, environment);
  reporter.event('runner_started', { attempt: payload.attempt, sandbox: plan.type });
  const policy = sandboxPolicy({ folders, workDir, payload, path: environment.PATH ?? '', ...needs });
  // Without its sandbox the run is over: a long clone is not waited for.
  const noSandbox = new AbortController();
  const signal = AbortSignal.any([input.stop.signal, noSandbox.signal]);
  const [sandbox, workspace] = await Promise.allSettled([
    plan.open(policy, createBlockedHosts(input)).catch((error: unknown) => {
      noSandbox.abort(error);
      throw error;
    }),
    phases.run('clone', () => createWorkspace({ ...mirrorInput(input), signal, folders })),
  ]);
  if (sandbox.status === 'rejected') throw sandbox.reason;
  if (workspace.status === 'rejected') {
    await sandbox.value.close();
    throw workspace.reason;
  }
  if (sandbox.value.type === 'none')
    output.note(
      'the agent runs WITHOUT a sandbox: it can read and change what the user of the platform can\n',
    );
  return { sandbox: sandbox.value, workspace: workspace.value };
}
