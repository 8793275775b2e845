import type { Payload } from '../task/protocol.ts';

/** What build and lint say: passed, failed, or null when there is no such command. */
export interface Verification {
  build_passed: boolean | null;
  lint_passed: boolean | null;
}

/** Runs the repository's own commands. `run` resolves to whether the command ended well. */
export async function verify(
  commands: Payload['commands'],
  run: (commandLine: string) => Promise<boolean>,
): Promise<Verification> {
  return {
    build_passed: commands.build === null ? null : await run(commands.build),
    lint_passed: commands.lint === null ? null : await run(commands.lint),
  };
}

export const hasVerification = ({ build, lint }: Payload['commands']): boolean =>
  build !== null || lint !== null;
