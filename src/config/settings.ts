import { z } from 'zod';
import { BgAgentError } from '../task/errors.ts';
import { agentSettings } from './agent-settings.ts';
import { awsSettings } from './aws-settings.ts';
import { channelSettings } from './channel-settings.ts';
import { githubSettings } from './github-settings.ts';
import { screenSettings } from './screen-settings.ts';
import { signInSettings } from './sign-in-settings.ts';

/** Every setting of a deployment, its unit and its default, each defined once. */
export const settingsSchema = z.strictObject({
  host: z.string().default('127.0.0.1').describe('Address the API listens on.'),
  port: z.number().int().min(0).max(65_535).default(7788).describe('Port of the API; 0 = any free one.'),
  allowed_hosts: z
    .array(z.string())
    .default([])
    .describe('Names under which the API may be reached, besides localhost and addresses.'),
  ...channelSettings,
  submit_rate_per_min: z
    .number()
    .int()
    .min(1)
    .default(600)
    .describe('Tasks that one user may submit a minute.'),
  nudge_rate_per_min: z
    .number()
    .int()
    .min(1)
    .default(10)
    .describe('What people may say to the agent of one task a minute.'),
  metrics_public: z
    .boolean()
    .default(false)
    .describe('Whether /metrics is served to everyone; else it takes the key of an admin.'),
  ...signInSettings,
  log_level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least severe line that the log keeps.'),
  ...agentSettings,
  ...githubSettings,
  sandbox: z
    .enum(['required', 'preferred', 'off'])
    .default('required')
    .describe(
      '`required`: no sandbox, no run. `preferred`: run without one where none can be had; only for code you trust. `off`: never.',
    ),
  sandbox_egress: z
    .array(z.string())
    .default([])
    .describe('Hosts that every agent may reach besides the defaults.'),
  sandbox_deny_read: z
    .array(z.string())
    .default(['/srv', '/mnt', '/media', '/var/www'])
    .describe(
      'Folders that no agent may read, besides homes, temporary folders, keys and the platform’s own data.',
    ),
  ...screenSettings,
  local_capacity: z
    .number()
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Sessions of the local backend at once; null = twice the cores.'),
  ...awsSettings,
  max_active_per_user: z
    .number()
    .int()
    .min(1)
    .default(10)
    .describe('Tasks of one user that may be active at once.'),
  max_active_system: z
    .number()
    .int()
    .min(1)
    .default(1_000)
    .describe('Tasks that may be active at once in the whole system.'),
  queue_timeout_s: z
    .number()
    .int()
    .min(1)
    .default(86_400)
    .describe('Longest wait in the queue before a task fails.'),
  default_max_turns: z
    .number()
    .int()
    .min(1)
    .max(500)
    .default(100)
    .describe('Turns of a task that names none.'),
  default_max_budget_usd: z
    .number()
    .min(0.01)
    .max(100)
    .nullable()
    .default(5)
    .describe('Budget of a task that names none; null = unlimited.'),
  default_deadline_s: z
    .number()
    .int()
    .min(10)
    .max(172_800)
    .default(28_800)
    .describe('Longest run of a session.'),
  hydration_max_tokens: z
    .number()
    .int()
    .min(1_000)
    .default(100_000)
    .describe(
      'Most tokens of issue, pull request and comments that an agent gets; a token is counted as three bytes. The oldest comments go first.',
    ),
  workflow_files: z
    .array(z.string())
    .default([])
    .describe('YAML files of workflows besides the built-in ones; paths count from the data folder.'),
  public_url: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null)
    .describe(
      'Address under which people, services such as Slack, and sessions on other machines reach the platform; null = no links to tasks, and sessions use the address it listens on.',
    ),
  hydration_timeout_s: z
    .number()
    .int()
    .min(1)
    .default(120)
    .describe('Longest time to check a repository and collect the input.'),
  heartbeat_interval_s: z.number().min(0.1).default(30).describe('How often a runner says that it lives.'),
  heartbeat_grace_s: z
    .number()
    .min(1)
    .default(120)
    .describe('Time after the start before the first heartbeat is due.'),
  heartbeat_stale_s: z.number().min(1).default(240).describe('Age at which a heartbeat counts as lost.'),
  safety_poll_s: z.number().min(1).default(300).describe('How often a waiting workflow looks for itself.'),
  reconcile_interval_s: z
    .number()
    .min(0.1)
    .default(60)
    .describe('How often the platform looks for what was lost or left over.'),
  cancel_grace_s: z
    .number()
    .min(0)
    .default(30)
    .describe('Time a runner gets to push what there is after a cancel.'),
  start_attempts: z
    .number()
    .int()
    .min(1)
    .default(3)
    .describe('Executions that are started for a task before it fails.'),
  workspace_max_mb: z.number().min(1).default(10_240).describe('Size of a workspace at which its task ends.'),
  workspace_max_files: z
    .number()
    .int()
    .min(1)
    .default(200_000)
    .describe('Files in a workspace at which its task ends.'),
  agent_max_processes: z
    .number()
    .int()
    .min(16)
    .default(1_000)
    .describe('Processes of an agent, with all that it starts, at which its task ends.'),
  agent_max_memory_mb: z
    .number()
    .min(64)
    .default(16_384)
    .describe('Memory of an agent, with all that it starts, at which its task ends.'),
  agent_output_max_mb: z
    .number()
    .min(0.1)
    .default(16)
    .describe('Output of an agent that the log keeps; the rest is counted.'),
  clone_timeout_s: z.number().int().min(1).default(1_800).describe('Longest run of a git or setup command.'),
  verify_timeout_s: z
    .number()
    .int()
    .min(1)
    .max(172_800)
    .default(1_800)
    .describe('Longest run of one build, lint or test command; beyond it, it counts as failed.'),
  repair_regressions: z
    .boolean()
    .default(true)
    .describe('Whether an agent whose work broke build, lint or test gets one chance to repair it.'),
  cache_max_mb: z
    .number()
    .min(1)
    .default(20_480)
    .describe('Size of all mirror caches; the least recently used go first.'),
  failed_workspace_keep_s: z
    .number()
    .min(0)
    .default(0)
    .describe('How long the workspace of a failed task is kept for a look.'),
  retention_days: z.number().min(1).default(90).describe('Days that ended tasks and their events are kept.'),
});
export type Settings = z.infer<typeof settingsSchema>;

export const defaultSettings = (): Settings => settingsSchema.parse({});

/** Settings from several layers, later ones win; unknown names and wrong values are VALIDATION_ERROR naming the setting and its source. */
export function mergeSettings(
  layers: readonly { source: string; values: Record<string, unknown> }[],
): Settings {
  let merged: Record<string, unknown> = {};
  for (const { source, values } of layers) {
    const result = settingsSchema.partial().safeParse(values);
    if (!result.success) {
      const issue = result.error.issues[0];
      const name = issue?.code === 'unrecognized_keys' ? issue.keys[0] : issue?.path.join('.');
      throw new BgAgentError('VALIDATION_ERROR', `${source}: setting ${name}: ${issue?.message}`, {
        field: String(name),
      });
    }
    merged = { ...merged, ...values };
  }
  return settingsSchema.parse(merged);
}
