import { BgAgentError, codeOf, messageOf } from '../task/errors.ts';
import type { Payload } from '../task/protocol.ts';
import { detectSandbox } from './sandbox/detect.ts';
import { createNoSandbox } from './sandbox/none.ts';
import type { OnBlocked, Sandbox, SandboxPolicy } from './sandbox/sandbox.ts';
import type { AgentUser } from './sandbox/user.ts';

export interface SandboxPlan {
  type: Sandbox['type'];
  /** Throws SANDBOX_UNAVAILABLE when there must be one and there is none. */
  open(policy: SandboxPolicy, onBlocked: OnBlocked): Promise<Sandbox>;
}

/**
 * Which sandbox the run gets, by what the payload asks for and what is installed: `required` = one or no run, `preferred` = one
 * where it can be had, `off` = none. The library loads lazily: a run without a sandbox doesn't pay for it.
 */
export async function planSandbox({
  payload: {
    sandbox: { mode },
  },
  environment,
  agentUser,
  workDir,
}: {
  payload: Pick<Payload, 'sandbox'>;
  environment: Readonly<Record<string, string | undefined>>;
  /** The place asks for agents of another user in place of a sandbox. */
  agentUser: AgentUser | null;
  workDir: string;
}): Promise<SandboxPlan> {
  const path = environment.PATH ?? '/usr/bin:/bin';
  if (agentUser !== null) {
    const { createUserSandbox } = await import('./sandbox/user.ts');
    return { type: 'user', open: (policy) => createUserSandbox({ user: agentUser, policy, workDir, path }) };
  }
  const without: SandboxPlan = {
    type: 'none',
    open: () => createNoSandbox({ path }),
  };
  if (mode === 'off') return without;
  const availability = await detectSandbox(environment);
  if (availability.available)
    return {
      type: 'srt',
      open: (policy, onBlocked) =>
        openSrt(policy, onBlocked).catch((error: unknown) => {
          if (mode === 'preferred' && codeOf(error) === 'SANDBOX_UNAVAILABLE')
            return without.open(policy, onBlocked);
          throw error;
        }),
    };
  if (mode === 'preferred') return without;
  const missing = availability.missing.join(', ') || 'a sandbox';
  const error = new BgAgentError('SANDBOX_UNAVAILABLE', `missing: ${missing} (${availability.remedy})`);
  return { type: 'none', open: () => Promise.reject(error) };
}

async function openSrt(policy: SandboxPolicy, onBlocked: OnBlocked): Promise<Sandbox> {
  try {
    const { createSrtSandbox } = await import('./sandbox/srt.ts');
    return await createSrtSandbox(policy, onBlocked);
  } catch (error) {
    throw new BgAgentError('SANDBOX_UNAVAILABLE', `the sandbox could not be set up: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
