import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What /proc says of processes (Linux). A pid alone proves nothing, since pids are used again: pid + start time do. */

export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after boot at which the process started. */
  startTime: string;
}

interface ProcessStat {
  state: string;
  parent: number;
  group: number;
  startTime: string;
}

/** Undefined when there is no such process. */
export function readStat(pid: number): ProcessStat | undefined {
  const text = readProcFile(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name in parentheses may hold anything, so count from its end: state is field 3, start time field 22.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '', parent = '0', group = '0'] = fields;
  return { state, parent: Number(parent), group: Number(group), startTime: fields[19] ?? '' };
}

/** True while the very process lives; a zombie has ended. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** The process that was started with this argument, if one lives. */
export function findByArgument(argument: string): ProcessIdentity | undefined {
  for (const pid of allPids()) {
    if (!readProcFile(`/proc/${pid}/cmdline`)?.split('\0').includes(argument)) continue;
    const stat = readStat(pid);
    if (stat && stat.state !== 'Z') return { pid, startTime: stat.startTime };
  }
  return undefined;
}

/**
 * Every living process that belongs to a session: descendants and process group of its runner, whatever carries its marker
 * in its environment, and whatever works in its folders (daemons that left the tree).
 */
export function findSessionProcesses(session: {
  runner: ProcessIdentity | undefined;
  marker: string;
  folders: readonly string[];
}): number[] {
  const runnerPid =
    session.runner && readStat(session.runner.pid)?.startTime === session.runner.startTime
      ? session.runner.pid
      : undefined;
  const stats = new Map<number, ProcessStat>();
  for (const pid of allPids()) {
    const stat = readStat(pid);
    if (stat && stat.state !== 'Z' && stat.state !== 'X') stats.set(pid, stat);
  }
  const found = new Set<number>();
  for (const [pid, stat] of stats) {
    const inTree = runnerPid !== undefined && (pid === runnerPid || stat.group === runnerPid);
    if (inTree || hasMarker(pid, session.marker) || worksIn(pid, session.folders)) found.add(pid);
  }
  for (let grown = true; grown; ) {
    grown = false;
    for (const [pid, stat] of stats) {
      if (found.has(pid) || !found.has(stat.parent)) continue;
      found.add(pid);
      grown = true;
    }
  }
  found.delete(process.pid);
  return [...found];
}

const hasMarker = (pid: number, marker: string): boolean =>
  readProcFile(`/proc/${pid}/environ`)?.split('\0').includes(marker) ?? false;

function worksIn(pid: number, folders: readonly string[]): boolean {
  try {
    const cwd = readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, '');
    return folders.some((folder) => cwd === folder || cwd.startsWith(`${folder}/`));
  } catch {
    // Ended meanwhile, or another user's: not one of ours.
    return false;
  }
}

const allPids = (): number[] =>
  readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));

function readProcFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Ended meanwhile, or not ours to read.
    return undefined;
  }
}
