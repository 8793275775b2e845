import { readdirSync, readFileSync } from 'node:fs';

/** Processes of this machine as /proc tells them (Linux). A pid is used again; pid and start time together are not. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after boot. */
  startTime: string;
}

export interface ProcessStat {
  state: string;
  parent: number;
  group: number;
  startTime: string;
}

/** Undefined when there is no such process. */
export function statOf(pid: number): ProcessStat | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name in parentheses may hold anything, so count from its end.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '', parent = '0', group = '0'] = fields;
  return { state, parent: Number(parent), group: Number(group), startTime: fields[19] ?? '' };
}

/** The user on whose behalf the process acts; undefined when it has ended. */
export function uidOf(pid: number): number | undefined {
  const [, , effective] = /^Uid:\t(\d+)\t(\d+)/m.exec(readProc(`/proc/${pid}/status`) ?? '') ?? [];
  return effective === undefined ? undefined : Number(effective);
}

export const processIdentity = (pid: number): ProcessIdentity => ({
  pid,
  startTime: statOf(pid)?.startTime ?? '',
});

/** A zombie has ended. */
export const isLiving = (stat: ProcessStat): boolean => stat.state !== 'Z' && stat.state !== 'X';

/** True while the very process lives. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  const stat = statOf(pid);
  return stat !== undefined && isLiving(stat) && stat.startTime === startTime;
}

/** The process that was started with this argument, if one lives. */
export function findByArgument(argument: string): ProcessIdentity | undefined {
  for (const pid of allPids()) {
    if (!readProc(`/proc/${pid}/cmdline`)?.split('\0').includes(argument)) continue;
    const stat = statOf(pid);
    if (stat && isLiving(stat)) return { pid, startTime: stat.startTime };
  }
  return undefined;
}

export const allPids = (): number[] =>
  readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));

/** Undefined when the process has ended meanwhile, or isn't ours to read. */
export function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Ended meanwhile, or not ours to read.
    return undefined;
  }
}
