import { spawn } from 'node:child_process';
import type { Sandbox } from './sandbox.ts';

/**
 * No sandbox: the agent can read and write whatever the user of the runner can, and reach any host. Needs an explicit setting.
 * Its processes get a pid namespace of their own where the kernel allows one, so that they end together and can't signal others.
 */
export async function createNoSandbox({ path }: { path: string }): Promise<Sandbox> {
  const namespace = await pidNamespace(path);
  return {
    type: 'none',
    containsProcesses: namespace !== undefined,
    async wrap({ commandLine, environment }) {
      if (!namespace) return { file: '/bin/sh', args: ['-c', commandLine], environment };
      // The first process of a namespace takes no signals, so the command is the second.
      return {
        file: 'unshare',
        args: [...namespace, '/bin/sh', '-c', '/bin/sh -c "$1"; exit $?', 'sh', commandLine],
        environment,
      };
    },
    close: async () => undefined,
  };
}

/** The options of `unshare` (util-linux) that work here; undefined when none do. */
async function pidNamespace(path: string): Promise<readonly string[] | undefined> {
  if (process.platform !== 'linux') return undefined;
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-current-user'];
  const options = [...user, '--pid', '--fork', '--kill-child', '--mount-proc'];
  return (await endsWell('unshare', [...options, 'true'], path)) ? options : undefined;
}

const endsWell = (program: string, args: readonly string[], path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: 'ignore',
      env: { PATH: path },
      signal: AbortSignal.timeout(2_000),
    });
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
