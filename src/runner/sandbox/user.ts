import { execFile } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import type { Bootstrap } from '../../task/protocol.ts';
import type { Sandbox, SandboxPolicy } from './sandbox.ts';

const run = promisify(execFile);

export type AgentUser = NonNullable<Bootstrap['agent_user']>;

/**
 * For places that are a wall already (a container of one task) and allow no other within: what the agent starts runs as another
 * user, without a way back. It can't read the runner's files, environment or memory, and every process of that user is the
 * agent's. It doesn't filter the network: what the place lets through, the agent reaches. Throws SANDBOX_UNAVAILABLE.
 */
export async function createUserSandbox({
  user: { uid, gid },
  policy,
  workDir,
  path,
}: {
  user: AgentUser;
  policy: Pick<SandboxPolicy, 'writable' | 'readable'>;
  /** Nothing above it is changed. */
  workDir: string;
  path: string;
}): Promise<Sandbox> {
  const drop = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--inh-caps=-all',
    // No program that belongs to root gives it back.
    '--no-new-privs',
  ];
  const env = { PATH: path };
  try {
    await run('setpriv', [...drop, 'true'], { env });
  } catch (error) {
    throw new BgAgentError(
      'SANDBOX_UNAVAILABLE',
      `agents can't be given the user ${uid}: the runner must be root, with setpriv (util-linux): ${messageOf(error)}`,
      { cause: error },
    );
  }
  let handedOver: Promise<void> | undefined;

  /** Before anything of the agent has run: afterwards a link of its own could lead to files that aren't its own. */
  async function handOver(): Promise<void> {
    const [objects] = policy.readable;
    await run('chown', ['-R', '-h', `${uid}:${gid}`, ...policy.writable], { env });
    for (const folder of new Set([...policy.writable, objects ?? workDir].flatMap((p) => above(p, workDir))))
      await chmod(folder, 0o711);
    if (objects !== undefined) await run('chmod', ['-R', 'go+rX', objects], { env });
  }

  return {
    type: 'user',
    containsProcesses: false,
    agentUid: uid,
    async wrap({ commandLine, environment }) {
      handedOver ??= handOver();
      await handedOver;
      return { file: 'setpriv', args: [...drop, '/bin/sh', '-c', commandLine], environment };
    },
    close: async () => undefined,
  };
}

/** The folders that lead to a path, from `top` down. */
function above(path: string, top: string): string[] {
  const parent = dirname(path);
  if (parent === path || !path.startsWith(`${top}/`)) return [];
  return [...above(parent, top), parent];
}
