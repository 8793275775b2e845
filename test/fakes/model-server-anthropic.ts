import type { ModelRequest, ScriptedAnswer, ScriptedUsage, ServerSentEvent } from './model-server.ts';

/** The events of Anthropic Messages. */
export function anthropicStream(answer: ScriptedAnswer, request: ModelRequest): ServerSentEvent[] {
  const usage = usageOf(answer.usage);
  const blocks = blocksOf(answer);
  return [
    {
      type: 'message_start',
      message: {
        ...messageOf(request),
        content: [],
        stop_reason: null,
        usage: answer.usage?.raw ?? { ...usage, output_tokens: 1 },
      },
    },
    { type: 'ping' },
    ...blocks.flatMap(({ start, deltas }, index): ServerSentEvent[] => [
      { type: 'content_block_start', index, content_block: start },
      ...deltas.map((delta): ServerSentEvent => ({ type: 'content_block_delta', index, delta })),
      { type: 'content_block_stop', index },
    ]),
    {
      type: 'message_delta',
      delta: { stop_reason: stopReason(answer), stop_sequence: null },
      usage: answer.usage?.raw ?? { output_tokens: usage.output_tokens },
    },
    { type: 'message_stop' },
  ];
}

export const anthropicMessage = (answer: ScriptedAnswer, request: ModelRequest): unknown => ({
  ...messageOf(request),
  content: blocksOf(answer).map(({ whole }) => whole),
  stop_reason: stopReason(answer),
  usage: answer.usage?.raw ?? usageOf(answer.usage),
});

const stopReason = ({ tools = [] }: ScriptedAnswer): string => (tools.length > 0 ? 'tool_use' : 'end_turn');

const messageOf = ({ body }: ModelRequest) => ({
  id: 'msg_fake',
  type: 'message',
  role: 'assistant',
  model: body.model ?? 'model',
  stop_sequence: null,
});

function usageOf({
  input = 100,
  output = 10,
  cacheWrite = 0,
  cacheWrite1h = 0,
  cacheRead = 0,
}: ScriptedUsage = {}) {
  return {
    input_tokens: input,
    output_tokens: output,
    cache_creation_input_tokens: cacheWrite + cacheWrite1h,
    cache_creation: { ephemeral_5m_input_tokens: cacheWrite, ephemeral_1h_input_tokens: cacheWrite1h },
    cache_read_input_tokens: cacheRead,
  };
}

function blocksOf({ text, tools = [] }: ScriptedAnswer) {
  const words = text ?? (tools.length > 0 ? null : 'Done.');
  return [
    ...(words === null
      ? []
      : [
          {
            whole: { type: 'text', text: words },
            start: { type: 'text', text: '' },
            deltas: pieces(words).map((piece) => ({ type: 'text_delta', text: piece })),
          },
        ]),
    ...tools.map(({ name, input }, index) => ({
      whole: { type: 'tool_use', id: `toolu_${name}_${index}`, name, input },
      start: { type: 'tool_use', id: toolId(name, index), name, input: {} },
      deltas: pieces(JSON.stringify(input)).map((piece) => ({
        type: 'input_json_delta',
        partial_json: piece,
      })),
    })),
  ];
}

let calls = 0;
/** Clients take a repeated id for the same call. */
const toolId = (name: string, index: number): string => {
  calls += 1;
  return `toolu_${name}_${index}_${calls}`;
};

const PIECE = 4_096;

/** A text as a model writes it: in pieces, of which a short one has two at least. */
export function pieces(text: string): string[] {
  const size = text.length > PIECE ? PIECE : Math.max(1, Math.ceil(text.length / 2));
  return Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
    text.slice(index * size, (index + 1) * size),
  );
}
