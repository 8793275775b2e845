import { messageOf } from '../../task/errors.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { reconcileOrphans } from './orphans.ts';
import { reconcileRetention } from './retention.ts';
import { reconcileSlots } from './slots.ts';
import { reconcileStranded } from './stranded.ts';

const RECONCILERS = {
  stranded: reconcileStranded,
  slots: reconcileSlots,
  orphans: reconcileOrphans,
  retention: reconcileRetention,
} as const;

/** Runs every reconciler once. Each is safe to run twice, at once and late; what one changed is logged. */
export async function reconcile(deps: OrchestratorDeps): Promise<void> {
  for (const [name, run] of Object.entries(RECONCILERS)) {
    try {
      const changed = await run(deps);
      if (changed === 0) continue;
      deps.log.info({ event: `reconciler.${name}`, changed }, 'reconciled');
      deps.onReconciled?.(name, changed);
    } catch (error) {
      deps.log.error(
        { event: `reconciler.${name}.failed`, error_id: 'RECONCILER_FAILED', error: messageOf(error) },
        'a reconciler failed',
      );
    }
  }
}

/** Reconciles now and then every interval, never twice at once; `stop` waits for a run under way. */
export function startReconciler(deps: OrchestratorDeps): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let run: Promise<void> = Promise.resolve();
  const loop = (): void => {
    run = reconcile(deps).finally(() => {
      if (!stopped) timer = setTimeout(loop, deps.settings.reconcile_interval_s * 1_000);
    });
  };
  loop();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await run;
    },
  };
}
