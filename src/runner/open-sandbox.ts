import { BgAgentError, messageOf } from '../task/errors.ts';
import { detectSandbox } from './sandbox/detect.ts';
import { createNoSandbox } from './sandbox/none.ts';
import type { Sandbox, SandboxPolicy } from './sandbox/sandbox.ts';

/**
 * The sandbox that the payload asks for. `required`: throws SANDBOX_UNAVAILABLE when none can be had. The library loads lazily:
 * a run without a sandbox doesn't pay for it.
 */
export async function openSandbox(input: {
  mode: 'required' | 'off';
  policy: SandboxPolicy;
  environment: Readonly<Record<string, string | undefined>>;
}): Promise<Sandbox> {
  if (input.mode === 'off') return createNoSandbox();
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
