import type { Settings } from '../config/settings.ts';
import type { SecretStore } from '../stores/secret-store.ts';
import type { ModelAccess } from '../task/protocol.ts';
import type { Task } from '../task/task.ts';

/**
 * How a task's runner reaches its model: provider and models from the settings, the key from the secret store. Null when the
 * agent needs no model, or there is no key.
 */
export async function modelAccess(
  { agent }: Pick<Task, 'agent'>,
  { settings, secrets }: { settings: Settings; secrets: SecretStore },
): Promise<ModelAccess | null> {
  const prices = settings.model_prices;
  if (agent === 'codex') {
    const secret = await secrets.get('OPENAI_API_KEY');
    if (secret === undefined) return null;
    const names = { main_model: settings.codex_model, small_model: settings.codex_model, prices };
    return { provider: 'openai', base_url: settings.openai_base_url, auth: 'bearer', secret, ...names };
  }
  if (agent !== 'claude') return null;
  const names = { main_model: settings.claude_model, small_model: settings.claude_small_model, prices };
  if (settings.claude_provider === 'bedrock') return bedrock(settings, secrets, names);
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
  settings: Settings,
  secrets: SecretStore,
  names: Pick<ModelAccess, 'main_model' | 'small_model' | 'prices'>,
): Promise<ModelAccess | null> {
  const [access_key_id, secret_access_key, session_token = null] = await Promise.all([
    secrets.get('AWS_ACCESS_KEY_ID'),
    secrets.get('AWS_SECRET_ACCESS_KEY'),
    secrets.get('AWS_SESSION_TOKEN'),
  ]);
  if (access_key_id === undefined || secret_access_key === undefined) return null;
  const region = settings.bedrock_region;
  return { provider: 'bedrock', region, access_key_id, secret_access_key, session_token, ...names };
}
