import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Nudge } from '../agent.ts';

const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Adds a line of JSON `{"nudge_id", "message"}` to the file. The agent can write beside it, so what lies there is not trusted:
 * throws when it's anything but a plain file of its own.
 */
export async function appendNudge(file: string, { nudge_id, message }: Nudge): Promise<void> {
  // The folder around it keeps others out; the agent may be another user than the runner.
  const handle = await open(file, FLAGS, 0o644);
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || stats.nlink > 1)
      throw new Error('what lies in the place of the file is no plain file');
    await handle.writeFile(`${JSON.stringify({ nudge_id, message })}\n`);
  } finally {
    await handle.close();
  }
}
