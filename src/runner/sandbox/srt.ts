import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SandboxManager } from '@anthropic-ai/sandbox-runtime';
import type { Launch, Sandbox, SandboxedCommand, SandboxPolicy } from './sandbox.ts';

/**
 * The sandbox of @anthropic-ai/sandbox-runtime. Its settings are global to the process: one at a time.
 *
 * Without allowed hosts no proxy is started: the commands get a network namespace with nothing in it.
 */
export async function createSrtSandbox(policy: SandboxPolicy): Promise<Sandbox> {
  const config = {
    network: { allowedDomains: [...policy.egress], deniedDomains: [], strictAllowlist: true },
    filesystem: {
      denyRead: [...policy.denyRead].map(literal),
      allowRead: [...policy.readable, ...policy.writable].map(literal),
      allowWrite: [...policy.writable].map(literal),
      // The library lets every command write there: a way from one task to another.
      denyWrite: ['/tmp/claude', '/private/tmp/claude'],
    },
  };
  const [workTree = '/'] = policy.writable;
  // The library guards settings files of its own working directory. There is nothing to guard in a throw-away work tree, where
  // the agent may well have to change them.
  const empty = join(policy.scratch, 'empty');
  await mkdir(empty, { recursive: true, mode: 0o700 });
  process.chdir(empty);
  const withProxy = policy.egress.length > 0;
  if (withProxy) await SandboxManager.initialize(config);

  return {
    type: 'srt',
    async wrap({ commandLine, environment }: SandboxedCommand): Promise<Launch> {
      const tmp = environment.TMPDIR;
      const restored =
        tmp === undefined
          ? ''
          : `TMPDIR=${quote(tmp)} TMP=${quote(tmp)} TEMP=${quote(tmp)}; export TMPDIR TMP TEMP\n`;
      const command = `cd ${quote(workTree)} || exit 126\n${restored}${commandLine}`;
      const commandId = environment.BGAGENT_TASK_ID ?? 'agent';
      const { argv } = await SandboxManager.wrapWithSandboxArgv(
        command,
        '/bin/sh',
        config,
        undefined,
        undefined,
        { commandId, commandText: 'agent' },
      );
      const [file = '/bin/sh', ...args] = argv;
      return { file, args, environment };
    },
    async cleanUp() {
      SandboxManager.cleanupAfterCommand();
    },
    async close() {
      await SandboxManager.reset();
    },
  };
}

/** A path as it is: characters that would make it a pattern have no meaning. */
const literal = (path: string): { path: string; literal: true } => ({ path, literal: true });

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
