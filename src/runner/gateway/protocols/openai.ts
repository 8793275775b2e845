import { z } from 'zod';
import { isRecord } from '../../../task/json.ts';
import { countOf, NO_TOKENS, type Tokens } from '../tokens.ts';
import { outsideReference } from './outside.ts';
import type { Meter, Protocol, StreamFailure } from './protocol.ts';

const requestSchema = z.looseObject({
  model: z.string(),
  stream: z.boolean().optional(),
  max_output_tokens: z.number().int().positive().nullish(),
});

/** What today's largest models can write; holds where a request doesn't say less. */
const MOST_OUTPUT_TOKENS = 128_000;
/** Run by the agent itself. */
const OWN_TOOLS = ['function', 'custom', 'local_shell', 'apply_patch', 'namespace'];
/** These make the provider keep or fetch state that isn't in the request, or work on after the connection ends. */
const REFUSED_FIELDS = ['background', 'previous_response_id', 'conversation', 'prompt'];
const TIERS = ['auto', 'default', 'flex'];
const LAST_EVENTS = ['response.completed', 'response.incomplete', 'response.failed'];

/** OpenAI Responses. */
export const openaiProtocol: Protocol = {
  api: 'openai',
  operations: { '/v1/responses': 'responses' },
  headers: ['openai-beta'],
  read(fields) {
    const parsed = requestSchema.safeParse(fields);
    if (!parsed.success) return { refused: z.prettifyError(parsed.error) };
    const { model, stream = false, max_output_tokens } = parsed.data;
    const refused =
      REFUSED_FIELDS.find(
        (name) => fields[name] !== undefined && fields[name] !== null && fields[name] !== false,
      ) ??
      hostedTool(fields.tools) ??
      serviceTier(fields.service_tier) ??
      outsideReference(fields.input);
    if (refused) return { refused: `${refused}: not allowed by the model gateway of this task` };
    return { model, stream, maxOutputTokens: max_output_tokens ?? MOST_OUTPUT_TOKENS };
  },
  error: (status, message) => ({
    error: {
      message,
      type: status < 500 ? 'invalid_request_error' : 'server_error',
      param: null,
      code: status === 401 ? 'invalid_api_key' : null,
    },
  }),
  streamError: (message) =>
    `event: error\ndata: ${JSON.stringify({ type: 'error', code: 'server_error', message, param: null })}\n\n`,
  models: (ids) => ({
    object: 'list',
    data: ids.map((id) => ({ id, object: 'model', created: 0, owned_by: 'bgagent' })),
  }),
  createMeter,
};

function hostedTool(tools: unknown): string | undefined {
  if (!Array.isArray(tools)) return undefined;
  const found = tools
    .map((tool: unknown) => (isRecord(tool) ? tool.type : tool))
    .find((type) => typeof type !== 'string' || !OWN_TOOLS.includes(type));
  return found === undefined ? undefined : `tools of type ${JSON.stringify(found)}`;
}

const serviceTier = (tier: unknown): string | undefined =>
  tier === undefined || tier === null || (typeof tier === 'string' && TIERS.includes(tier))
    ? undefined
    : `service_tier other than ${TIERS.join(', ')}`;

function createMeter(): Meter {
  let tokens: Tokens | null = null;
  let ended = false;
  let written = 0;
  let failed: StreamFailure | null = null;
  const end = (response: unknown): void => {
    if (!isRecord(response) || !isRecord(response.usage)) return;
    tokens = tokensOf(response.usage);
    ended = true;
  };
  return {
    event(data) {
      if (data === '[DONE]') return;
      const event: unknown = JSON.parse(data);
      if (!isRecord(event) || typeof event.type !== 'string') return;
      if (event.type.endsWith('.delta') && typeof event.delta === 'string') written += event.delta.length;
      else if (LAST_EVENTS.includes(event.type)) {
        end(event.response);
        if (event.type === 'response.failed')
          failed = failureOf(isRecord(event.response) ? event.response.error : null);
      } else if (event.type === 'error') failed = failureOf(event);
    },
    answer: end,
    tokens: () => tokens,
    complete: () => ended,
    written: () => written,
    failed: () => failed,
  };
}

function tokensOf(usage: Record<string, unknown>): Tokens {
  const details = isRecord(usage.input_tokens_details) ? usage.input_tokens_details : {};
  const all = countOf(usage.input_tokens);
  const cacheRead = Math.min(all, countOf(details.cached_tokens));
  const cacheWrite = Math.min(all - cacheRead, countOf(details.cache_write_tokens));
  return {
    ...NO_TOKENS,
    input: all - cacheRead - cacheWrite,
    output: countOf(usage.output_tokens),
    cacheRead,
    cacheWrite,
  };
}

function failureOf(error: unknown): StreamFailure {
  const { code, message } = isRecord(error) ? error : {};
  return {
    message: typeof message === 'string' ? message : 'the provider gave up',
    passing: code === 'server_error' || code === 'rate_limit_exceeded' || code === 'server_is_overloaded',
  };
}
