import { z } from 'zod';
import { isRecord } from '../../../task/json.ts';
import { atLeast, countOf, NO_TOKENS, type Tokens } from '../tokens.ts';
import { outsideReference } from './outside.ts';
import type { Meter, Protocol, StreamFailure } from './protocol.ts';

const requestSchema = z.looseObject({
  model: z.string(),
  stream: z.boolean().optional(),
  max_tokens: z.number().int().positive().optional(),
});

/** Run by the agent itself. What the provider would run (search, fetch, code) goes around the sandbox and its prices are others. */
const OWN_TOOLS = /^(?:custom|(?:bash|text_editor|computer|memory|tool_search_tool)_[a-z0-9_]+)$/;
/** Of these the provider itself opens connections or keeps state, or charges another price. */
const REFUSED_FIELDS = ['mcp_servers', 'container', 'fallbacks'];
const ERROR_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};

/** Anthropic Messages. */
export const anthropicProtocol: Protocol = {
  api: 'anthropic',
  operations: { '/v1/messages': 'messages', '/v1/messages/count_tokens': 'count_tokens' },
  headers: ['anthropic-version', 'anthropic-beta'],
  read(fields) {
    const parsed = requestSchema.safeParse(fields);
    if (!parsed.success) return { refused: z.prettifyError(parsed.error) };
    const { model, stream = false, max_tokens = 0 } = parsed.data;
    const refused =
      REFUSED_FIELDS.find((name) => fields[name] !== undefined && fields[name] !== null) ??
      hostedTool(fields.tools) ??
      priceModifier(fields) ??
      outsideReference(fields.messages);
    if (refused) return { refused: `${refused}: not allowed by the model gateway of this task` };
    return { model, stream, maxOutputTokens: max_tokens };
  },
  error: (status, message) => ({
    type: 'error',
    error: {
      type: ERROR_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error'),
      message,
    },
  }),
  streamError: (message) =>
    `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type: 'api_error', message } })}\n\n`,
  models: (ids) => ({
    data: ids.map((id) => ({ type: 'model', id, display_name: id, created_at: '1970-01-01T00:00:00Z' })),
    has_more: false,
    first_id: ids[0] ?? null,
    last_id: ids.at(-1) ?? null,
  }),
  createMeter,
};

function hostedTool(tools: unknown): string | undefined {
  if (!Array.isArray(tools)) return undefined;
  const types = tools.map((tool: unknown) => (isRecord(tool) ? (tool.type ?? 'custom') : 'custom'));
  const found = types.find((type) => typeof type !== 'string' || !OWN_TOOLS.test(type));
  return found === undefined ? undefined : `tools of type ${JSON.stringify(found)}`;
}

/** The table has standard prices only. */
function priceModifier({ speed, service_tier, inference_geo }: Record<string, unknown>): string | undefined {
  if (speed !== undefined && speed !== null && speed !== 'standard') return 'speed other than "standard"';
  if (service_tier !== undefined && service_tier !== 'auto' && service_tier !== 'standard_only')
    return 'service_tier other than "auto" or "standard_only"';
  return inference_geo === undefined || inference_geo === null ? undefined : 'inference_geo';
}

function createMeter(): Meter {
  let tokens: Tokens | null = null;
  let ended = false;
  let written = 0;
  let failed: StreamFailure | null = null;
  const add = (usage: unknown): void => {
    tokens = atLeast(tokens ?? NO_TOKENS, tokensOf(usage));
  };
  return {
    event(data) {
      const event: unknown = JSON.parse(data);
      if (!isRecord(event)) return;
      if (event.type === 'message_start' && isRecord(event.message)) add(event.message.usage);
      else if (event.type === 'content_block_delta') written += lengthOf(event.delta);
      else if (event.type === 'message_delta') add(event.usage);
      else if (event.type === 'message_stop') ended = true;
      else if (event.type === 'error') failed = failureOf(event.error);
    },
    answer(body) {
      if (!isRecord(body)) return;
      if (body.usage !== undefined) add(body.usage);
      ended = body.usage !== undefined;
    },
    tokens: () => tokens,
    complete: () => ended && tokens !== null,
    written: () => written,
    failed: () => failed,
  };
}

function tokensOf(usage: unknown): Tokens {
  if (!isRecord(usage)) return NO_TOKENS;
  const total = partOf(usage);
  if (!Array.isArray(usage.iterations)) return total;
  // The totals leave out the passes in which the provider shortened the conversation, but not the bill.
  const sum = usage.iterations
    .filter(isRecord)
    .map(partOf)
    .reduce(
      (all, part) => ({
        input: all.input + part.input,
        output: all.output + part.output,
        cacheWrite: all.cacheWrite + part.cacheWrite,
        cacheWrite1h: all.cacheWrite1h + part.cacheWrite1h,
        cacheRead: all.cacheRead + part.cacheRead,
      }),
      NO_TOKENS,
    );
  return atLeast(total, sum);
}

function partOf(usage: Record<string, unknown>): Tokens {
  const written = countOf(usage.cache_creation_input_tokens);
  const forAnHour = isRecord(usage.cache_creation)
    ? Math.min(written, countOf(usage.cache_creation.ephemeral_1h_input_tokens))
    : 0;
  return {
    input: countOf(usage.input_tokens),
    output: countOf(usage.output_tokens),
    cacheWrite: written - forAnHour,
    cacheWrite1h: forAnHour,
    cacheRead: countOf(usage.cache_read_input_tokens),
  };
}

function lengthOf(delta: unknown): number {
  if (!isRecord(delta)) return 0;
  const { text, partial_json, thinking } = delta;
  return [text, partial_json, thinking].reduce<number>(
    (sum, part) => sum + (typeof part === 'string' ? part.length : 0),
    0,
  );
}

function failureOf(error: unknown): StreamFailure {
  const { type, message } = isRecord(error) ? error : {};
  return {
    message: typeof message === 'string' ? message : 'the provider gave up',
    passing: type === 'overloaded_error' || type === 'rate_limit_error' || type === 'api_error',
  };
}
