import { statfsSync } from 'node:fs';
import { allPids, isLiving, readProc, statOf } from './process.ts';

/** What a tree of processes takes of the machine at one moment. */
export interface ProcessUsage {
  processes: number;
  /** Memory that belongs to them alone, and files that they keep in memory. */
  memoryBytes: number;
}

const PAGE_BYTES = 4_096;
const TMPFS = 0x01021994;
/** Folders that a sandbox gives out of memory. */
const IN_MEMORY = ['/tmp', '/dev/shm', '/var/tmp'];

/** The living processes that descend from one; itself first. Daemons count as long as a process of the tree has adopted them. */
export function descendantsOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const pid of allPids()) {
    const stat = statOf(pid);
    if (!stat || !isLiving(stat)) continue;
    const siblings = children.get(stat.parent);
    if (siblings) siblings.push(pid);
    else children.set(stat.parent, [pid]);
  }
  const found = [root];
  // Grows while it's walked.
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** `ownRoot`: the processes see a file system of their own, whose folders in memory count as theirs. */
export function usageOf(pids: readonly number[], { ownRoot }: { ownRoot: boolean }): ProcessUsage {
  const memory = pids.map(privateBytes).reduce((sum, bytes) => sum + bytes, 0);
  const last = pids.at(-1);
  const files = ownRoot && last !== undefined ? filesInMemory(last) : 0;
  return { processes: pids.length, memoryBytes: memory + files };
}

/** Without what it shares with others: programs, libraries, files. */
function privateBytes(pid: number): number {
  const [, resident = 0, shared = 0] = (readProc(`/proc/${pid}/statm`) ?? '').split(' ').map(Number);
  return (resident - shared) * PAGE_BYTES;
}

function filesInMemory(pid: number): number {
  const seen = new Set<string>();
  let bytes = 0;
  for (const folder of IN_MEMORY) {
    try {
      const { type, bsize, blocks, bfree, files, ffree } = statfsSync(`/proc/${pid}/root${folder}`);
      const key = `${blocks} ${bfree} ${files} ${ffree}`;
      // The same one may be mounted at several places.
      if (type !== TMPFS || seen.has(key)) continue;
      seen.add(key);
      bytes += (blocks - bfree) * bsize;
    } catch {
      // Ended meanwhile, or not ours to look into.
    }
  }
  return bytes;
}
