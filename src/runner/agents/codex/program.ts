import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { delimiter, join, sep } from 'node:path';
import { BgAgentError } from '../../../task/errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The release that this program is tested with. */
const TESTED = '0.169.0';

/** Path of the `codex` that is installed. Throws AGENT_NOT_AVAILABLE. */
export async function findCodex({ PATH = '/usr/local/bin:/usr/bin:/bin' }: Environment): Promise<string> {
  for (const folder of PATH.split(delimiter)) {
    const program = join(folder, 'codex');
    try {
      await access(program, constants.X_OK);
      return program;
    } catch {
      // Not in this folder.
    }
  }
  throw new BgAgentError(
    'AGENT_NOT_AVAILABLE',
    `the \`codex\` agent needs the program codex on the PATH of the platform: npm install --global @openai/codex@${TESTED}`,
  );
}

/** A program of npm lies in its packages; what is found on the PATH is a link to it. */
const IN_PACKAGES = `${sep}node_modules${sep}@openai${sep}`;

/**
 * What to run. A link of npm's is followed: the program looks for its other packages from where it lies, and in the sandbox there may
 * be a copy in the link's place. Other links stay: they may go by their name. Throws AGENT_NOT_AVAILABLE.
 */
export async function codexProgram(environment: Environment): Promise<string> {
  const program = await findCodex(environment);
  const target = await realpath(program);
  return target.includes(IN_PACKAGES) ? target : program;
}

/** What the sandbox must let it read: the program, and the packages of npm that it's a part of. */
export async function codexFolders(environment: Environment): Promise<readonly string[]> {
  const program = await findCodex(environment);
  const target = await realpath(program);
  const inModules = target.lastIndexOf(IN_PACKAGES);
  // The package holds a launcher only; the real program is a package beside it.
  const packages = inModules < 0 ? [] : [join(target.slice(0, inModules), 'node_modules', '@openai')];
  return [...new Set([program, target, ...packages])];
}
