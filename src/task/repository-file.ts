import { z } from 'zod';
import { LIMITS } from './task.ts';

/** The name of the file by which a repository says how it wants to be worked on. */
export const REPOSITORY_FILE = '.bgagent.yaml';

const command = z.string().trim().min(1).max(4_000);

/**
 * What `.bgagent.yaml` may say. Whoever can write to the repository writes it, so it can choose what runs in the sandbox and take
 * rights and limits away; it can't give any.
 */
export const repositoryFileSchema = z.strictObject({
  /** Runs once before the work; a failure ends the task. */
  setup: command.nullable().optional(),
  verify: z
    .strictObject({
      build: command.nullable().optional(),
      lint: command.nullable().optional(),
      test: command.nullable().optional(),
      /** Longest run of one of them, seconds. */
      timeout_s: z.number().int().min(1).max(172_800).optional(),
    })
    .optional(),
  agent: z
    .strictObject({
      /** False: a regression is told, and not given to the agent to repair. */
      repair: z.boolean().optional(),
    })
    .optional(),
  /** The only hosts that the agent may reach, of those that it may reach anyway. `[]` = none. */
  egress: z.array(z.string().min(1).max(253)).max(200).optional(),
  limits: z
    .strictObject({
      max_turns: z.number().int().min(LIMITS.maxTurns.min).max(LIMITS.maxTurns.max).optional(),
      max_budget_usd: z.number().min(LIMITS.maxBudgetUsd.min).max(LIMITS.maxBudgetUsd.max).optional(),
      /** Seconds from the start of the work. */
      deadline_s: z.number().int().min(1).max(172_800).optional(),
    })
    .optional(),
});
export type RepositoryFile = z.infer<typeof repositoryFileSchema>;
