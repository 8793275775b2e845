import type { z } from '@hono/zod-openapi';
import { BgAgentError } from '../task/errors.ts';
import type { RepoConfig } from '../task/repo.ts';
import type { ApiDeps } from './deps.ts';
import type { putRepoSchema } from './schemas/repos.ts';

type RepoChange = z.output<typeof putRepoSchema>;

/** Writes a repository's settings: those given, else those it had, else the defaults. */
export async function onboard(deps: ApiDeps, repo: string, change: RepoChange): Promise<RepoConfig> {
  const { stores, now, agents, computes } = deps;
  requireKnown('agent', change.agent, agents);
  requireKnown(
    'compute_type',
    change.compute_type,
    computes.map(({ type }) => type),
  );
  const before = await stores.repos.get(repo);
  const at = new Date(now()).toISOString();
  const config: RepoConfig = {
    ...(before ?? defaultConfig(deps, repo)),
    ...given(change),
    status: 'active',
    onboarded_at: before?.status === 'active' ? before.onboarded_at : at,
    updated_at: at,
  };
  requireInstanceType(deps, config);
  await stores.repos.put(config);
  return config;
}

/** Of a backend that has several. */
function requireInstanceType(
  { computes }: Pick<ApiDeps, 'computes'>,
  { compute_type, instance_type }: Pick<RepoConfig, 'compute_type' | 'instance_type'>,
): void {
  const { instanceTypes } = computes.find(({ type }) => type === compute_type) ?? {};
  if (instanceTypes) requireKnown('instance_type', instance_type, instanceTypes);
}

/** A setting that this deployment can't serve is refused when it is made, not when a task meets it. */
export function requireKnown(
  field: string,
  value: string | null | undefined,
  known: readonly string[],
): void {
  if (value == null || known.includes(value)) return;
  throw new BgAgentError(
    'VALIDATION_ERROR',
    `${field}: this deployment has no "${value}"; it has ${known.join(', ')}${howToGet(field, value)}`,
    { field },
  );
}

/** The setting that brings a backend, where the platform runs. */
const BACKEND_SETTINGS: Readonly<Record<string, string>> = {
  ec2: 'ec2_groups',
  ecs: 'ecs_cluster',
  agentcore: 'agentcore_runtime_arn',
};

function howToGet(field: string, value: string): string {
  const setting = field === 'compute_type' ? BACKEND_SETTINGS[value] : undefined;
  return setting === undefined
    ? ''
    : `. To have ${value}, set ${setting} where the platform runs (docs/compute/${value}.md)`;
}

const given = (change: RepoChange): Partial<RepoConfig> =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));

/** The settings of a repository that nobody has changed. */
export function defaultConfig(
  { now, computes }: Pick<ApiDeps, 'now' | 'computes'>,
  repo: string,
): RepoConfig {
  const at = new Date(now()).toISOString();
  return {
    repo,
    status: 'active',
    compute_type: computes[0]?.type ?? 'local',
    instance_type: null,
    agent: null,
    agent_command: null,
    model_id: null,
    max_turns: null,
    max_budget_usd: null,
    system_prompt_overrides: null,
    build_command: null,
    lint_command: null,
    test_command: null,
    setup_command: null,
    egress_allowlist: [],
    token_secret: null,
    pr_labels: [],
    pr_reviewers: [],
    deadline_s: null,
    notifications: null,
    cedar_policies: [],
    approval_gate_cap: null,
    onboarded_at: at,
    updated_at: at,
  };
}
