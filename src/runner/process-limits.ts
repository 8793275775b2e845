import type { ProcessUsage } from '../processes/usage.ts';
import type { Launch } from './sandbox/sandbox.ts';

export interface ProcessLimits {
  maxProcesses: number;
  maxMemoryMb: number;
}

const PAUSE_MS = 250;
/** A look may take this part of the time at most. */
const SHARE = 20;
/** Below the platform and everything else on the machine that did not ask for a rank of its own. */
const NICENESS = 5;
const MIB = 1024 * 1024;

/**
 * Calls `exceeded` once when the processes are more, or take more memory, than they may. Returns what ends the watch. Limits of
 * the kernel would be sharper, but none works everywhere: those of a user don't bind root, and control groups need to be given.
 */
export function watchProcesses({
  limits,
  measure,
  exceeded,
}: {
  limits: ProcessLimits;
  measure(): ProcessUsage;
  exceeded(message: string): void;
}): () => void {
  let timer: NodeJS.Timeout;
  const look = (): void => {
    const startedAt = performance.now();
    const message = overLimit(measure(), limits);
    if (message !== undefined) exceeded(message);
    else timer = setTimeout(look, Math.max(PAUSE_MS, (performance.now() - startedAt) * SHARE));
  };
  timer = setTimeout(look, PAUSE_MS);
  return () => clearTimeout(timer);
}

function overLimit(usage: ProcessUsage, { maxProcesses, maxMemoryMb }: ProcessLimits): string | undefined {
  if (usage.processes > maxProcesses)
    return `the agent ran ${usage.processes} processes at once; at most ${maxProcesses} are allowed (agent_max_processes)`;
  if (usage.memoryBytes > maxMemoryMb * MIB)
    return `the agent took ${Math.round(usage.memoryBytes / MIB)} MB of memory; at most ${maxMemoryMb} are allowed (agent_max_memory_mb)`;
  return undefined;
}

/**
 * What a shell is to run first: a limit of the kernel far above that of the watch, which catches what is faster than it. It
 * counts threads as well, and doesn't bind root. Shells name it differently.
 */
export const kernelLimit = ({ maxProcesses }: ProcessLimits): string => {
  const tasks = maxProcesses * 16;
  return `ulimit -u ${tasks} 2>/dev/null || ulimit -p ${tasks} 2>/dev/null || :`;
};

/**
 * The same program, started so that it and all that it will start give way: others get the processor first, and when memory
 * runs out the kernel takes them first. It gives itself this rank before it runs: given from outside, it would miss a child that
 * was quicker.
 */
export const givingWay = (launch: Launch): Launch => ({
  ...launch,
  file: '/bin/sh',
  args: ['-c', GIVE_WAY, 'sh', launch.file, ...launch.args],
});

/** Where one of the two can't be had, the agent keeps the rank of everybody. */
const GIVE_WAY = [
  '{ echo 1000 > /proc/self/oom_score_adj; } 2>/dev/null',
  `command -v nice >/dev/null && exec nice -n ${NICENESS} "$@"`,
  'exec "$@"',
].join('\n');
