import { BgAgentError, codeOf, messageOf } from '../task/errors.ts';
import type { Payload } from '../task/protocol.ts';
import { detectSandbox } from './sandbox/detect.ts';
import { createNoSandbox } from './sandbox/none.ts';
import type { Sandbox, SandboxPolicy } from './sandbox/sandbox.ts';

/**
 * The sandbox that the payload asks for. Throws SANDBOX_UNAVAILABLE when none can be had, unless the mode is `preferred`, which
 * then goes on without one. The library loads lazily: a run without a sandbox doesn't pay for it.
 */
export async function openSandbox(input: {
  mode: Payload['sandbox']['mode'];
  policy: SandboxPolicy;
  environment: Readonly<Record<string, string | undefined>>;
}): Promise<Sandbox> {
  if (input.mode === 'off') return createNoSandbox();
  try {
    return await openSrtSandbox(input);
  } catch (error) {
    if (input.mode === 'preferred' && codeOf(error) === 'SANDBOX_UNAVAILABLE') return createNoSandbox();
    throw error;
  }
}

async function openSrtSandbox(
  input: Pick<Parameters<typeof openSandbox>[0], 'policy' | 'environment'>,
): Promise<Sandbox> {
  const availability = await detectSandbox(input.environment);
  if (!availability.available)
    throw new BgAgentError(
      'SANDBOX_UNAVAILABLE',
      `missing: ${availability.missing.join(', ') || 'a sandbox'} (${availability.remedy})`,
    );
  try {
    const { createSrtSandbox } = await import('./sandbox/srt.ts');
    return await createSrtSandbox(input.policy);
  } catch (error) {
    throw new BgAgentError('SANDBOX_UNAVAILABLE', `the sandbox could not be set up: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
