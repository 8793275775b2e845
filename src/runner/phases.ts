import type { RunnerPhase } from '../task/events.ts';
import type { Reporter } from './reporter.ts';

export interface Phases {
  /** Runs a phase between its two events. */
  run<T>(phase: RunnerPhase, work: () => Promise<T>): Promise<T>;
  /** Milliseconds that a phase took, in all its runs; null when it was not reached. */
  durationMs(...phases: RunnerPhase[]): number | null;
}

export function createPhases({
  reporter,
  clock,
}: {
  reporter: Pick<Reporter, 'event'>;
  clock(): number;
}): Phases {
  const durations = new Map<RunnerPhase, number>();
  return {
    async run(phase, work) {
      const startedAt = clock();
      reporter.event('phase_started', { phase });
      let ok = false;
      try {
        const result = await work();
        ok = true;
        return result;
      } finally {
        const duration = Math.round(clock() - startedAt);
        durations.set(phase, (durations.get(phase) ?? 0) + duration);
        reporter.event('phase_completed', { phase, duration_ms: duration, ok });
      }
    },
    durationMs(...phases) {
      const known = phases.flatMap((phase) => durations.get(phase) ?? []);
      return known.length === 0 ? null : known.reduce((sum, duration) => sum + duration, 0);
    },
  };
}
