import { z } from '@hono/zod-openapi';
import { notificationsSchema } from '../../task/notifications.ts';
import { repoConfigSchema } from '../../task/repo.ts';
import { filledText, line, strict, text } from './envelope.ts';

const shape = repoConfigSchema.shape;

export const repoDetailSchema = repoConfigSchema
  .extend({ test_command: shape.test_command.unwrap() })
  .openapi('RepoConfig');
export type RepoDetail = z.infer<typeof repoDetailSchema>;

export const repoParams = z.object({ repo: line(1_000) });

/** `hard`: never allowed, `soft`: allowed by a person. Both are empty in this version. */
export const repoPoliciesSchema = z
  .object({
    repo_id: z.string(),
    policies: z.object({ hard: z.array(z.unknown()), soft: z.array(z.unknown()) }),
  })
  .openapi('RepoPolicies');
export type RepoPolicies = z.infer<typeof repoPoliciesSchema>;

/** A command line for `sh -c`. */
const command = filledText(4_000).nullable().optional();

/** What channels will be told is theirs to say; it only has to stay small, and shallow enough for every JSON reader. */
const NOTIFICATIONS = { depth: 10, length: 10_000 };

const isShallow = (value: unknown, depth: number): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (depth > 0 && Object.values(value).every((inner) => isShallow(inner, depth - 1)));

/** Fields left out keep their value, or get the default when the repository is new; null means the platform's default. */
export const putRepoSchema = strict({
  compute_type: line(50).optional(),
  instance_type: line(50).nullable().optional(),
  agent: line(100).nullable().optional(),
  agent_command: command,
  model_id: line(200).nullable().optional(),
  max_turns: shape.max_turns.optional(),
  max_budget_usd: shape.max_budget_usd.optional(),
  system_prompt_overrides: text(20_000).nullable().optional(),
  build_command: command,
  lint_command: command,
  test_command: command,
  setup_command: command,
  egress_allowlist: z
    .array(
      z
        .string()
        .max(253)
        .regex(/^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i, {
          error: 'must be a host name, or `*.` and a host name',
        }),
    )
    .max(200)
    .optional(),
  token_secret: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_./-]{0,199}$/, 'must be the name of a secret: letters, digits, . _ / -')
    .nullable()
    .optional(),
  pr_labels: z.array(filledText(50)).max(20).optional(),
  pr_reviewers: z
    .array(
      z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,38}(\/[A-Za-z0-9._-]{1,100})?$/, {
        error: 'must be a user, or a team as org/team',
      }),
    )
    .max(15)
    .optional(),
  deadline_s: shape.deadline_s.optional(),
  notifications: z
    .record(z.string(), z.unknown())
    .refine((value) => isShallow(value, NOTIFICATIONS.depth), {
      error: `must be nested at most ${NOTIFICATIONS.depth} deep`,
      abort: true,
    })
    .superRefine((value, context) => {
      for (const issue of notificationsSchema.safeParse(value).error?.issues ?? [])
        context.addIssue({ code: 'custom', path: issue.path, message: issue.message });
    })
    .refine((value) => JSON.stringify(value).length <= NOTIFICATIONS.length, {
      error: `must have at most ${NOTIFICATIONS.length.toLocaleString('en')} characters as JSON`,
    })
    .nullable()
    .optional(),
  cedar_policies: z.array(text(10_000)).max(100).optional(),
  approval_gate_cap: z.number().int().min(0).max(10_000).nullable().optional(),
}).openapi('PutRepoRequest');
export type PutRepoRequest = z.input<typeof putRepoSchema>;
