import type { ModelRequest, ScriptedAnswer, ScriptedUsage, ServerSentEvent } from './model-server.ts';
import { pieces } from './model-server-anthropic.ts';

let calls = 0;

/** The events of OpenAI Responses. */
export function openaiStream(answer: ScriptedAnswer, request: ModelRequest): ServerSentEvent[] {
  const response = openaiResponse(answer, request);
  const events: ServerSentEvent[] = [
    { type: 'response.created', response: { ...response, status: 'in_progress', output: [], usage: null } },
    ...response.output.flatMap((item, output_index): ServerSentEvent[] => [
      { type: 'response.output_item.added', output_index, item: begun(item) },
      ...deltasOf(item, output_index),
      { type: 'response.output_item.done', output_index, item },
    ]),
    { type: 'response.completed', response },
  ];
  return events.map((event, sequence_number) => ({ ...event, sequence_number }));
}

export function openaiResponse(answer: ScriptedAnswer, { body }: ModelRequest) {
  return {
    id: 'resp_fake',
    object: 'response',
    created_at: 0,
    status: 'completed',
    model: body.model ?? 'model',
    output: itemsOf(answer),
    usage: answer.usage?.raw ?? usageOf(answer.usage),
  };
}

type Item =
  | {
      type: 'message';
      id: string;
      role: 'assistant';
      status: string;
      content: { type: 'output_text'; text: string; annotations: [] }[];
    }
  | { type: 'function_call'; id: string; call_id: string; name: string; arguments: string; status: string };

function itemsOf({ text, tools = [] }: ScriptedAnswer): Item[] {
  const words = text ?? (tools.length > 0 ? null : 'Done.');
  calls += 1;
  return [
    ...(words === null
      ? []
      : [
          {
            type: 'message' as const,
            id: `msg_${calls}`,
            role: 'assistant' as const,
            status: 'completed',
            content: [{ type: 'output_text' as const, text: words, annotations: [] as [] }],
          },
        ]),
    ...tools.map(({ name, input }, index) => ({
      type: 'function_call' as const,
      id: `fc_${calls}_${index}`,
      call_id: `call_${calls}_${index}`,
      name,
      arguments: JSON.stringify(input),
      status: 'completed',
    })),
  ];
}

const begun = (item: Item): unknown =>
  item.type === 'message' ? { ...item, status: 'in_progress', content: [] } : { ...item, arguments: '' };

function deltasOf(item: Item, output_index: number): ServerSentEvent[] {
  if (item.type === 'function_call')
    return pieces(item.arguments).map((delta) => ({
      type: 'response.function_call_arguments.delta',
      item_id: item.id,
      output_index,
      delta,
    }));
  return item.content.flatMap(({ text }, content_index) =>
    pieces(text).map((delta) => ({
      type: 'response.output_text.delta',
      item_id: item.id,
      output_index,
      content_index,
      delta,
    })),
  );
}

function usageOf({ input = 100, output = 10, cacheRead = 0 }: ScriptedUsage = {}) {
  return {
    input_tokens: input + cacheRead,
    input_tokens_details: { cached_tokens: cacheRead },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + cacheRead + output,
  };
}
