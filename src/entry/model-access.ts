import type { Settings } from '../config/settings.ts';
import type { SecretStore } from '../stores/secret-store.ts';
import type { ModelAccess } from '../task/protocol.ts';
import type { Task } from '../task/task.ts';
import { type BedrockRoleOptions, takeRole } from './bedrock-role.ts';

export interface ModelAccessOptions {
  settings: Settings;
  secrets: SecretStore;
  /** How AWS STS is reached. */
  sts?: Pick<BedrockRoleOptions, 'proxy' | 'endpoint'>;
}

/**
 * How a task's runner reaches its model: provider and models from the settings, the key from the secret store. Null when the
 * agent needs no model, or there is no key. Throws what `takeRole` throws.
 */
export async function modelAccess(
  task: Pick<Task, 'agent' | 'model_id' | 'task_id' | 'attempt'>,
  options: ModelAccessOptions,
): Promise<ModelAccess | null> {
  const { settings, secrets } = options;
  const { agent } = task;
  const prices = settings.model_prices;
  if (agent === 'codex') {
    const secret = await secrets.get('OPENAI_API_KEY');
    if (secret === undefined) return null;
    const names = { main_model: settings.codex_model, small_model: settings.codex_model, prices };
    return { provider: 'openai', base_url: settings.openai_base_url, auth: 'bearer', secret, ...names };
  }
  if (agent !== 'claude') return null;
  const names = { main_model: settings.claude_model, small_model: settings.claude_small_model, prices };
  if (settings.claude_provider === 'bedrock') return bedrock(task, names, options);
  const [apiKey, token] = await Promise.all([
    secrets.get('ANTHROPIC_API_KEY'),
    secrets.get('ANTHROPIC_AUTH_TOKEN'),
  ]);
  const secret = apiKey ?? token;
  if (secret === undefined) return null;
  const auth = apiKey === undefined ? 'bearer' : 'api_key';
  return { provider: 'anthropic', base_url: settings.anthropic_base_url, auth, secret, ...names };
}

async function bedrock(
  task: Pick<Task, 'model_id' | 'task_id' | 'attempt'>,
  names: Pick<ModelAccess, 'main_model' | 'small_model' | 'prices'>,
  { settings, secrets, sts }: ModelAccessOptions,
): Promise<ModelAccess | null> {
  const { bedrock_region: region, bedrock_role_arn: roleArn } = settings;
  const [accessKeyId, secretAccessKey, sessionToken] = await Promise.all([
    secrets.get('AWS_ACCESS_KEY_ID'),
    secrets.get('AWS_SECRET_ACCESS_KEY'),
    secrets.get('AWS_SESSION_TOKEN'),
  ]);
  const keys =
    accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  const access = { provider: 'bedrock', region, ...names } as const;
  if (roleArn === null)
    // What AWS's library would find by itself is the platform's own, with rights that no runner needs: not handed out.
    return keys
      ? {
          ...access,
          access_key_id: keys.accessKeyId,
          secret_access_key: keys.secretAccessKey,
          session_token: sessionToken ?? null,
          expires_at: null,
        }
      : null;
  const models = [...new Set([task.model_id ?? names.main_model, names.small_model])];
  const session = await takeRole(task, models, {
    ...sts,
    roleArn,
    region,
    ...(keys ? { credentials: keys } : {}),
  });
  return {
    ...access,
    access_key_id: session.accessKeyId,
    secret_access_key: session.secretAccessKey,
    session_token: session.sessionToken,
    expires_at: session.expiresAt,
  };
}
