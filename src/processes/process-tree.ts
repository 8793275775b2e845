import { readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  allPids,
  isLiving,
  type ProcessIdentity,
  type ProcessStat,
  processIdentity,
  readProc,
  statOf,
  uidOf,
} from './process.ts';

/** By what a process is known to belong to an agent. */
export interface Belongings {
  /** `NAME=value` in the environment that every process of the agent was started with. */
  marker: string;
  /** Folders that only this agent works in. */
  folders: readonly string[];
  /** A user that only this agent is. */
  uid?: number | undefined;
}

/** A daemon that has left its group, changed folder and cleaned its environment is still known if it was seen before it did. */
export interface ProcessTree {
  /** Counts a process and everything it starts as the agent's. */
  add(pid: number): void;
  /** Looks for processes of the agent; cheap enough to be called a few times a second. */
  observe(): ProcessIdentity[];
  /** SIGKILL to all, until none is left. Returns how many would not end within `limitMs`. */
  kill(limitMs?: number): Promise<number>;
}

const KILL_POLL_MS = 10;

export function createProcessTree(belongings: Belongings): ProcessTree {
  const seen = new Map<number, string>();

  function observe(): ProcessIdentity[] {
    const stats = new Map<number, ProcessStat>();
    for (const pid of allPids()) {
      const stat = statOf(pid);
      if (stat && isLiving(stat) && pid !== process.pid) stats.set(pid, stat);
    }
    for (const [pid, startTime] of seen) if (stats.get(pid)?.startTime !== startTime) seen.delete(pid);
    const found = new Set(seen.keys());
    const groups = new Set([...found].filter((pid) => stats.get(pid)?.group === pid));
    for (const [pid, stat] of stats)
      if (!found.has(pid) && (groups.has(stat.group) || belongs(pid, belongings))) found.add(pid);
    for (let grown = true; grown; ) {
      grown = false;
      for (const [pid, { parent }] of stats) {
        if (found.has(pid) || !found.has(parent)) continue;
        found.add(pid);
        grown = true;
      }
    }
    for (const pid of found) seen.set(pid, stats.get(pid)?.startTime ?? '');
    return [...seen].map(([pid, startTime]) => ({ pid, startTime }));
  }

  return {
    add(pid) {
      seen.set(pid, processIdentity(pid).startTime);
    },
    observe,
    async kill(limitMs = 10_000) {
      for (const until = Date.now() + limitMs; ; await delay(KILL_POLL_MS)) {
        const left = observe();
        if (left.length === 0 || Date.now() > until) return left.length;
        for (const { pid } of left) signalProcess(pid, 'SIGKILL');
      }
    },
  };
}

function belongs(pid: number, { marker, folders, uid }: Belongings): boolean {
  // What another user's process was started with, not even root may read in a container.
  if (uid !== undefined && uidOf(pid) === uid) return true;
  if (readProc(`/proc/${pid}/environ`)?.split('\0').includes(marker)) return true;
  try {
    const cwd = readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, '');
    return folders.some((folder) => cwd === folder || cwd.startsWith(`${folder}/`));
  } catch {
    // Ended meanwhile, or another user's.
    return false;
  }
}

/** To a process that has gone already it is sent in vain. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // Gone already.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
