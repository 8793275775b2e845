import { BgAgentError } from '../task/errors.ts';
import type { ModelAccess, OutcomeReport, Payload } from '../task/protocol.ts';
import type { AgentModel, ModelApi } from './agents/agent.ts';
import { type GatewayLogEntry, openGateway } from './gateway/gateway.ts';
import { withPrices } from './gateway/prices.ts';
import type { Upstream } from './gateway/upstreams/upstream.ts';
import type { WorkInput } from './work-input.ts';

/** The agent's way to its model, and what came of it. */
export interface ModelGateway {
  port: number;
  model: AgentModel;
  /** Sets other caps for the calls to come. */
  limit(limits: Pick<Payload['limits'], 'max_turns' | 'max_budget_usd'>): void;
  spent(): Pick<OutcomeReport, 'turns_attempted' | 'turns_completed' | 'cost_usd'>;
  close(): Promise<void>;
}

/**
 * Opens the model gateway for an agent. Cost goes out as events; when a cap is reached, the run is stopped, and what there is
 * gets kept. Throws MODEL_NOT_CONFIGURED when the platform has no credentials, MODEL_NOT_PRICED for a model without a price.
 */
export async function openModel(input: WorkInput, api: ModelApi): Promise<ModelGateway> {
  const { payload, reporter, stop, output } = input;
  const access = await input.modelAccess();
  if (!access || (access.provider === 'openai') !== (api === 'openai'))
    throw new BgAgentError(
      'MODEL_NOT_CONFIGURED',
      `no credentials for the agent \`${payload.agent.type}\`: set ${api === 'openai' ? 'OPENAI_API_KEY' : 'ANTHROPIC_API_KEY'} where the platform runs`,
    );
  const main = payload.agent.model_id ?? access.main_model;
  const small = api === 'openai' ? main : access.small_model;
  const limits = { maxTurns: payload.limits.max_turns, maxBudgetUsd: payload.limits.max_budget_usd };
  const gateway = await openGateway({
    upstream: await upstreamOf(access, input),
    models: { main, small },
    limits,
    prices: withPrices(access.prices),
    now: input.now,
    random: input.random,
    onUsage: tellCost,
    onLimit(reason, message) {
      tellCost();
      reporter.event('agent_error', { error_type: reason, preview: message.slice(0, 200) });
      stop.now({ kind: reason === 'budget' ? 'budget' : 'turn-limit', message });
    },
    log: (entry) => output.note(`${lineOf(entry)}\n`),
  });
  function tellCost(): void {
    const { costUsd, inputTokens, outputTokens } = gateway.usage();
    reporter.event('agent_cost_update', {
      cost_usd: costUsd,
      input_tokens: inputTokens,
      output_tokens: outputTokens,
    });
  }
  return {
    port: gateway.port,
    model: { url: gateway.url, key: gateway.key, main, small, turns: () => gateway.usage().turnsAttempted },
    limit({ max_turns: maxTurns, max_budget_usd: maxBudgetUsd }) {
      Object.assign(limits, { maxTurns, maxBudgetUsd });
    },
    spent() {
      const { turnsAttempted, turns, costUsd } = gateway.usage();
      return { turns_attempted: turnsAttempted, turns_completed: turns, cost_usd: costUsd };
    },
    close: () => gateway.close(),
  };
}

/** What of it must never show up anywhere. */
export const secretsOf = (access: ModelAccess): string[] =>
  access.provider === 'bedrock'
    ? [access.secret_access_key, ...(access.session_token === null ? [] : [access.session_token])]
    : [access.secret];

/** Each provider is loaded only when it's used. */
async function upstreamOf(
  access: ModelAccess,
  { modelAccess, now, environment }: WorkInput,
): Promise<Upstream> {
  /** What counts now, or what the platform says anew when the provider has refused it. */
  const latest = async <P extends ModelAccess['provider']>(
    provider: P,
    refused: unknown,
  ): Promise<Extract<ModelAccess, { provider: P }> | undefined> => {
    const next = await modelAccess(refused !== undefined);
    return next && isOf(next, provider) ? next : undefined;
  };
  if (access.provider === 'bedrock') {
    const { createBedrockUpstream } = await import('./gateway/upstreams/bedrock.ts');
    return createBedrockUpstream({
      region: access.region,
      proxy: environment,
      now,
      async credential(refused) {
        const { access_key_id, secret_access_key, session_token } =
          (await latest('bedrock', refused)) ?? access;
        return {
          accessKeyId: access_key_id,
          secretAccessKey: secret_access_key,
          ...(session_token === null ? {} : { sessionToken: session_token }),
        };
      },
    });
  }
  const options = {
    ...(access.base_url === null ? {} : { baseUrl: access.base_url }),
    proxy: environment,
    async credential(refused?: unknown) {
      const { auth, secret } = (await latest(access.provider, refused)) ?? access;
      return { kind: auth, value: secret };
    },
  };
  if (access.provider === 'openai')
    return (await import('./gateway/upstreams/openai.ts')).createOpenAiUpstream(options);
  return (await import('./gateway/upstreams/anthropic.ts')).createAnthropicUpstream(options);
}

const isOf = <P extends ModelAccess['provider']>(
  access: ModelAccess,
  provider: P,
): access is Extract<ModelAccess, { provider: P }> => access.provider === provider;

const lineOf = ({ event, ...details }: GatewayLogEntry): string =>
  [event, ...Object.entries(details).map(([name, value]) => `${name}=${value}`)].join(' ');
