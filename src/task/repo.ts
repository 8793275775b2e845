import { z } from 'zod';
import { LIMITS } from './task.ts';

/** Settings of a repository; null means the platform's default. */
export const repoConfigSchema = z.object({
  repo: z.string(),
  status: z.enum(['active', 'removed']),
  compute_type: z.string(),
  instance_type: z.string().nullable(),
  agent: z.string().nullable(),
  agent_command: z.string().nullable(),
  model_id: z.string().nullable(),
  max_turns: z.number().int().min(LIMITS.maxTurns.min).max(LIMITS.maxTurns.max).nullable(),
  max_budget_usd: z.number().min(LIMITS.maxBudgetUsd.min).max(LIMITS.maxBudgetUsd.max).nullable(),
  system_prompt_overrides: z.string().nullable(),
  build_command: z.string().nullable(),
  lint_command: z.string().nullable(),
  /** Records of earlier versions lack it. */
  test_command: z.string().nullable().default(null),
  setup_command: z.string().nullable(),
  egress_allowlist: z.array(z.string()),
  token_secret: z.string().nullable(),
  /** Labels of the pull requests that are opened. */
  pr_labels: z.array(z.string()).default([]),
  /** Who is asked to review them: users, or teams as `org/team`. */
  pr_reviewers: z.array(z.string()).default([]),
  deadline_s: z.number().int().min(10).max(172_800).nullable(),
  notifications: z.record(z.string(), z.unknown()).nullable(),
  cedar_policies: z.array(z.string()),
  approval_gate_cap: z.number().int().nullable(),
  onboarded_at: z.string(),
  updated_at: z.string(),
});
export type RepoConfig = z.infer<typeof repoConfigSchema>;
