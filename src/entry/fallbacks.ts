import { createFallback } from '../compute/composite.ts';
import type { ComputeStrategy } from '../compute/strategy.ts';
import type { Settings } from '../config/settings.ts';
import { BgAgentError } from '../task/errors.ts';

/**
 * The backends that the settings make of others, each tried in order. Throws VALIDATION_ERROR for a name that is taken, or for one
 * of a backend that this deployment lacks.
 */
export function openFallbacks(
  { compute_fallbacks }: Pick<Settings, 'compute_fallbacks'>,
  computes: readonly ComputeStrategy[],
): ComputeStrategy[] {
  return Object.entries(compute_fallbacks).map(([type, names]) => {
    if (computes.some((compute) => compute.type === type))
      throw refused(`"${type}" is the name of a backend already: take another`);
    const backends = names.map((name) => {
      const compute = computes.find((candidate) => candidate.type === name);
      if (!compute)
        throw refused(
          `"${type}" names "${name}", which this deployment has not; it has ${computes.map((c) => c.type).join(', ')}`,
        );
      return { name, compute };
    });
    return createFallback({ type, backends });
  });
}

const refused = (why: string): BgAgentError =>
  new BgAgentError('VALIDATION_ERROR', `compute_fallbacks: ${why}`, { field: 'compute_fallbacks' });
