import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { isAlive, type ProcessIdentity, processIdentity } from '../processes/process.ts';

const POLL_MS = 25;

/**
 * Runs `work` while no other process holds `file`. A holder that died is noticed by its pid and start time. Rejects with the
 * signal's reason when it aborts first.
 */
export async function withLock<T>(file: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const mine = `${file}.${process.pid}`;
  // Written whole before it can be seen: a lock is never without its holder's name.
  await writeFile(mine, JSON.stringify(processIdentity(process.pid)));
  try {
    while (!(await taken(mine, file))) {
      signal.throwIfAborted();
      await removeStale(file);
      await delay(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  } finally {
    await rm(mine, { force: true });
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function taken(mine: string, file: string): Promise<boolean> {
  try {
    await link(mine, file);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function removeStale(file: string): Promise<void> {
  const before = await holder(file);
  if (before === undefined || isAlive(before)) return;
  // Moved away rather than removed: only one of several that found it stale gets it, and it can be looked at again.
  const aside = `${file}.stale.${process.pid}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  const moved = await holder(aside);
  // A living one's, taken in between: back with it.
  if (moved && isAlive(moved)) await rename(aside, file);
  else await rm(aside, { force: true });
}

/** Undefined when there is no lock. One that can't be read (the machine stopped while it was written) is nobody's. */
async function holder(file: string): Promise<ProcessIdentity | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    return holderSchema.safeParse(JSON.parse(text)).data ?? NOBODY;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (error instanceof SyntaxError) return NOBODY;
    throw error;
  }
}

const holderSchema = z.object({ pid: z.number().int(), startTime: z.string() });
const NOBODY: ProcessIdentity = { pid: 0, startTime: '' };

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
