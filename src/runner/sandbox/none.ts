import type { Sandbox } from './sandbox.ts';

/** No sandbox: the agent can read and write whatever the user of the runner can. Needs an explicit setting. */
export const createNoSandbox = (): Sandbox => ({
  type: 'none',
  wrap: async ({ commandLine, environment }) => ({ file: '/bin/sh', args: ['-c', commandLine], environment }),
  close: async () => undefined,
});
