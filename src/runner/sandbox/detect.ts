import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Programs that the sandbox is made of, by platform. */
const NEEDED: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  linux: ['bwrap', 'socat', 'rg'],
  darwin: ['sandbox-exec'],
};
const PACKAGES: Readonly<Record<string, string>> = { bwrap: 'bubblewrap', socat: 'socat', rg: 'ripgrep' };

export type SandboxAvailability =
  | { available: true }
  | { available: false; missing: readonly string[]; remedy: string };

/** Whether this machine has what the sandbox needs, and how to get what is missing. Whether the kernel lets it run shows when it starts. */
export async function detectSandbox(
  environment: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): Promise<SandboxAvailability> {
  const needed = NEEDED[platform];
  if (!needed)
    return {
      available: false,
      missing: [],
      remedy: `there is no sandbox for ${platform}; use Linux, macOS or a container`,
    };
  const folders = (environment.PATH ?? '/usr/bin:/bin').split(delimiter);
  const found = await Promise.all(needed.map((program) => isInstalled(program, folders)));
  const missing = needed.filter((_, index) => !found[index]);
  if (missing.length === 0) return { available: true };
  return {
    available: false,
    missing,
    remedy: `apt-get install ${missing.map((program) => PACKAGES[program] ?? program).join(' ')}`,
  };
}

async function isInstalled(program: string, folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    try {
      await access(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // Not in this folder.
    }
  }
  return false;
}
