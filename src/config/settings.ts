import { z } from 'zod';
import { BgAgentError } from '../task/errors.ts';
import { modelPriceSchema } from '../task/protocol.ts';
import { awsSettings } from './aws-settings.ts';

/** Every setting of a deployment, its unit and its default, each defined once. */
export const settingsSchema = z.strictObject({
  host: z.string().default('127.0.0.1').describe('Address the API listens on.'),
  port: z.number().int().min(0).max(65_535).default(7788).describe('Port of the API; 0 = any free one.'),
  allowed_hosts: z
    .array(z.string())
    .default([])
    .describe('Names under which the API may be reached, besides localhost and addresses.'),
  slack_client_id: z
    .string()
    .nullable()
    .default(null)
    .describe('Client id of the Slack app; `bgagent slack setup` says where it is found.'),
  slack_notify_channel: z
    .string()
    .regex(/^[TE][A-Z0-9]{1,30}\/[CGDU][A-Z0-9]{1,30}$/, 'must be `<team id>/<channel id>`')
    .nullable()
    .default(null)
    .describe('Slack channel that hears of tasks from elsewhere, as `T…/C…`; a repository may name another.'),
  slack_api_url: z
    .url()
    .default('https://slack.com/api/')
    .describe('Base of Slack’s Web API, with its last slash.'),
  smtp_url: z
    .url({ protocol: /^smtps?$/ })
    .nullable()
    .default(null)
    .describe(
      'Mail server, such as `smtps://mail.example.com:465`; user and password are the secrets SMTP_USER and SMTP_PASSWORD.',
    ),
  ses_region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be an AWS region, like eu-west-1')
    .nullable()
    .default(null)
    .describe('AWS region whose SES sends the mail, in place of a mail server.'),
  email_from: z.email().nullable().default(null).describe('Sender of mail.'),
  email_to: z
    .array(z.email())
    .default([])
    .describe('Who gets mail about every task; a repository may name others (`notifications.email.to`).'),
  delivery_attempts: z
    .number()
    .int()
    .min(1)
    .default(10)
    .describe('Failed attempts after which a message to a channel is given up; being told to wait is none.'),
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
  oidc_issuer: z
    .url()
    .nullable()
    .default(null)
    .describe(
      'OIDC provider (Cognito: the user pool) whose tokens the API takes besides API keys; null = none.',
    ),
  oidc_audience: z
    .array(z.string())
    .default([])
    .describe(
      'Programs whose tokens are taken: one of these must be the `aud` of a token, or its `client_id` when it has no `aud`.',
    ),
  oidc_user_claim: z
    .string()
    .default('sub')
    .describe(
      'Claim of a token that is the user id. Choose one that people can’t set themselves; `email` must be verified.',
    ),
  oidc_groups_claim: z
    .string()
    .default('groups')
    .describe('Claim of a token that lists groups; Cognito: `cognito:groups`.'),
  oidc_admin_group: z
    .string()
    .nullable()
    .default(null)
    .describe('Group whose members are admins; null = nobody is by a token.'),
  oidc_clock_tolerance_s: z
    .number()
    .min(0)
    .max(600)
    .default(60)
    .describe('How far the clock of the OIDC provider may be off.'),
  log_level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least severe line that the log keeps.'),
  default_agent: z
    .string()
    .default('command')
    .describe('Agent of a task when neither task nor repository names one.'),
  default_agent_command: z
    .string()
    .nullable()
    .default(null)
    .describe('Command line of the `command` agent when the repository has none.'),
  claude_provider: z
    .enum(['anthropic', 'bedrock'])
    .default('anthropic')
    .describe('Who serves the models of the `claude` agent.'),
  claude_model: z
    .string()
    .default('claude-sonnet-5-5')
    .describe('Model of the `claude` agent when neither task nor repository names one.'),
  claude_small_model: z
    .string()
    .default('claude-haiku-5-5')
    .describe('Model for the side jobs of the `claude` agent.'),
  codex_model: z
    .string()
    .default('gpt-6-sol')
    .describe('Model of the `codex` agent when neither task nor repository names one.'),
  anthropic_base_url: z
    .url()
    .nullable()
    .default(null)
    .describe('Another server that speaks the Anthropic API; ANTHROPIC_BASE_URL sets it, too.'),
  openai_base_url: z
    .url()
    .nullable()
    .default(null)
    .describe('Another server that speaks the OpenAI API; OPENAI_BASE_URL sets it, too.'),
  bedrock_region: z.string().default('us-east-1').describe('AWS region of the models on Bedrock.'),
  bedrock_role_arn: z
    .string()
    .regex(
      /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/,
      'must be like arn:aws:iam::123456789012:role/name',
    )
    .nullable()
    .default(null)
    .describe(
      'Role of AWS that is taken on for each task, for an hour and its models only; null = runners get the platform’s own keys for Bedrock.',
    ),
  model_prices: z
    .record(z.string(), modelPriceSchema)
    .default({})
    .describe(
      'US dollars for a million tokens, by model: `{input, output, cache_read, cache_write, cache_write_1h, long}`; an entry stands for the built-in one as a whole.',
    ),
  github_api_url: z
    .url()
    .default('https://api.github.com')
    .describe(
      'The API of GitHub; on a company’s own server `https://<host>/api/v3`. Pages and repositories follow from it.',
    ),
  github_app_id: z
    .number()
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Id of the GitHub App to work as; null = with a token. `bgagent github setup` writes it.'),
  github_private_key_secret: z
    .string()
    .default('GITHUB_APP_PRIVATE_KEY')
    .describe('Name of the secret that holds the private key of the GitHub App.'),
  github_token_secret: z
    .string()
    .default('GITHUB_TOKEN')
    .describe(
      'Name of the secret that holds the token for repositories on GitHub that have none of their own.',
    ),
  github_mention: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,38}$/, 'must be a name as GitHub has them, without @')
    .default('bgagent')
    .describe('Name that people write after `@` in issues and pull requests to ask for a task.'),
  github_workflow_files: z
    .boolean()
    .default(false)
    .describe(
      'Whether tasks may change files in `.github/workflows`; the App needs the permission Workflows.',
    ),
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
  screen: z
    .enum(['rules', 'bedrock'])
    .default('rules')
    .describe('What looks for prompt attacks: rules, offline, or a guardrail of Amazon Bedrock as well.'),
  guardrail_id: z
    .string()
    .nullable()
    .default(null)
    .describe('Id or ARN of the guardrail, in `bedrock_region`; its prompt-attack filter is to be MEDIUM.'),
  guardrail_version: z
    .string()
    .regex(/^[1-9]\d*$/, 'must be a numbered version')
    .nullable()
    .default(null)
    .describe('Numbered version of the guardrail.'),
  guardrail_units_per_s: z
    .number()
    .min(1)
    .default(25)
    .describe('Text units (1,000 characters) that the account may have judged a second.'),
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
