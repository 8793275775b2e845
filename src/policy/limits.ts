import type { Settings } from '../config/settings.ts';
import { BgAgentError } from '../task/errors.ts';
import { type RepoConfig, repoConfigSchema } from '../task/repo.ts';
import type { Task } from '../task/task.ts';

export type TaskLimits = Pick<Task, 'max_turns' | 'max_budget_usd' | 'deadline_s'>;

/** What a request may say of its limits; null and absent mean the same: what the repository or the platform says. */
export interface RequestedLimits {
  max_turns?: number | null | undefined;
  max_budget_usd?: number | null | undefined;
}

/**
 * The limits of a task: the request's, else the repository's, else the platform's.
 * Only the platform's setting can mean "no budget" (null). Throws VALIDATION_ERROR naming the field and its range.
 */
export function resolveLimits(
  request: RequestedLimits,
  repo: Pick<RepoConfig, 'max_turns' | 'max_budget_usd' | 'deadline_s'> | undefined,
  settings: Pick<Settings, 'default_max_turns' | 'default_max_budget_usd' | 'default_deadline_s'>,
): TaskLimits {
  return {
    max_turns: inRange('max_turns', request.max_turns) ?? repo?.max_turns ?? settings.default_max_turns,
    max_budget_usd:
      inRange('max_budget_usd', request.max_budget_usd) ??
      repo?.max_budget_usd ??
      settings.default_max_budget_usd,
    deadline_s: repo?.deadline_s ?? settings.default_deadline_s,
  };
}

function inRange(field: 'max_turns' | 'max_budget_usd', value: number | null | undefined): number | null {
  if (value === undefined || value === null) return null;
  const { success, error } = repoConfigSchema.shape[field].safeParse(value);
  if (!success)
    throw new BgAgentError('VALIDATION_ERROR', `${field}: ${error.issues[0]?.message ?? 'is not valid'}`, {
      field,
    });
  return value;
}
