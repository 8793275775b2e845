import { parseRemote } from '../forge/git/remote.ts';
import { checkBranchName } from '../task/check-branch.ts';
import type { Payload } from '../task/protocol.ts';
import { REPOSITORY_FILE } from '../task/repository-file.ts';
import { createBlockedHosts } from './blocked-hosts.ts';
import { layOutMirror } from './mirror.ts';
import { planSandbox } from './open-sandbox.ts';
import { sandboxPolicy } from './policy.ts';
import { applyRepositoryFile, readRepositoryFile } from './repository-file.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { mirrorInput, type WorkInput } from './work-input.ts';
import { createWorkspace, layOutFolders, type Workspace } from './workspace.ts';

/** What the sandbox has to let the agent get at, besides its workspace. */
export interface AgentNeeds {
  agentFolders: readonly string[];
  gatewayPort: number | null;
}

export interface Prepared {
  workspace: Workspace;
  sandbox: Sandbox;
  /** What the repository says of itself is in it. */
  payload: Payload;
}

/** Clone and sandbox at the same time, unless the repository has a say in what the sandbox lets through. */
export async function prepare(input: WorkInput, needs: AgentNeeds): Promise<Prepared> {
  const { payload, folders, workDir, environment, phases, output, reporter } = input;
  // Before any of them becomes a path or an argument.
  const { base_branch, branch_name, rescue_branch, compare } = payload.repo;
  for (const branch of [base_branch, branch_name, rescue_branch, compare?.branch])
    if (branch != null) checkBranchName(branch);
  parseRemote(payload.repo.url);
  await Promise.all([layOutFolders(folders), layOutMirror(mirrorInput(input))]);
  const plan = await planSandbox(input);
  reporter.event('runner_started', { attempt: payload.attempt, sandbox: plan.type });
  const open = (narrowed: Payload): Promise<Sandbox> =>
    plan.open(
      sandboxPolicy({ folders, workDir, payload: narrowed, path: environment.PATH ?? '', ...needs }),
      createBlockedHosts(input),
    );
  // Without its sandbox the run is over: a long clone is not waited for.
  const noSandbox = new AbortController();
  const signal = AbortSignal.any([input.stop.signal, noSandbox.signal]);
  const cloned = phases.run('clone', async () => {
    const workspace = await createWorkspace({ ...mirrorInput(input), signal, folders });
    return { workspace, payload: await narrowedPayload(input) };
  });
  const opened = (
    payload.sandbox.egress.length === 0 ? open(payload) : cloned.then((c) => open(c.payload))
  ).catch((error: unknown) => {
    noSandbox.abort(error);
    throw error;
  });
  const [sandbox, clone] = await Promise.allSettled([opened, cloned]);
  if (sandbox.status === 'rejected') throw sandbox.reason;
  if (clone.status === 'rejected') {
    await sandbox.value.close();
    throw clone.reason;
  }
  if (sandbox.value.type === 'none')
    output.note(
      'the agent runs WITHOUT a sandbox: it can read and change what the user of the platform can\n',
    );
  if (sandbox.value.type === 'user')
    output.note('the agent runs as a user of its own in this container; its network is not filtered here\n');
  return { sandbox: sandbox.value, ...clone.value };
}

/** Without the commands that the workflow has no use for. */
function onlySteps(payload: Payload): Payload {
  const { steps, commands, verification } = payload;
  const verify = steps.includes('verify');
  return {
    ...payload,
    commands: {
      setup: steps.includes('setup') ? commands.setup : null,
      build: verify ? commands.build : null,
      lint: verify ? commands.lint : null,
      test: verify ? commands.test : null,
    },
    verification: { ...verification, repair: verification.repair && steps.includes('repair') },
  };
}

async function narrowedPayload(input: WorkInput): Promise<Payload> {
  const { payload, refused } = applyRepositoryFile(
    input.payload,
    await readRepositoryFile(input),
    input.now(),
  );
  for (const reason of refused) input.output.note(`${REPOSITORY_FILE}: not taken: ${reason}\n`);
  return onlySteps(payload);
}
