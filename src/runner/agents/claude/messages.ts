import { z } from 'zod';
import type { Transcript } from '../transcript.ts';

/** The messages of the SDK that matter here; the program that sends them is not trusted. Everything else is passed over. */
const block = z.object({ type: z.string() }).loose();
const messageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('assistant'),
    message: z.object({ id: z.string(), model: z.string().optional(), content: z.array(block) }),
    error: z.string().optional(),
  }),
  z.object({
    type: z.literal('user'),
    message: z.object({ content: z.union([z.string(), z.array(block)]) }),
  }),
  z.object({
    type: z.literal('system'),
    subtype: z.string(),
    model: z.string().optional(),
    attempt: z.number().optional(),
    error_status: z.number().nullish(),
    description: z.string().optional(),
  }),
  z.object({
    type: z.literal('result'),
    subtype: z.string(),
    is_error: z.boolean(),
    result: z.string().optional(),
    errors: z.array(z.string()).optional(),
  }),
]);
type Message = z.infer<typeof messageSchema>;

const toolUse = z.object({ id: z.string(), name: z.string().max(200), input: z.unknown() });
const toolResult = z.object({
  tool_use_id: z.string(),
  is_error: z.boolean().optional(),
  content: z.unknown(),
});

/** How the conversation ended, in the words of the program. */
export interface Ending {
  ok: boolean;
  text: string;
}

export interface MessageReader {
  read(raw: unknown): void;
  /** Undefined until the program has said how it ended. */
  readonly ending: Ending | undefined;
}

/** Most tool calls that are waited for at once; more names than that are not remembered. */
const MOST_PENDING = 1_000;

/** Turns messages into what people want to know of them. */
export function createMessageReader(transcript: Transcript): MessageReader {
  const tools = new Map<string, string>();
  let turn = 0;
  let messageId = '';
  let ending: Ending | undefined;

  function assistant({ message, error }: Extract<Message, { type: 'assistant' }>): void {
    const text = message.content.map(textOf).filter(Boolean).join('\n');
    // An answer that the program has made up itself: no call of the model.
    if (message.model === '<synthetic>') transcript.error(error ?? 'no_answer', text);
    else if (message.id !== messageId) {
      messageId = message.id;
      turn += 1;
      transcript.turn(turn, text);
    } else if (text !== '') transcript.turn(turn, text);
    for (const part of message.content) {
      const use = part.type === 'tool_use' ? toolUse.safeParse(part).data : undefined;
      if (!use) continue;
      if (tools.size < MOST_PENDING) tools.set(use.id, use.name);
      transcript.toolCall(use.name, use.input);
    }
  }

  function user({ message }: Extract<Message, { type: 'user' }>): void {
    // Whatever comes after an answer of tools is a new call, even where a provider gives all its answers one id.
    messageId = '';
    if (typeof message.content === 'string') return;
    for (const part of message.content) {
      const result = part.type === 'tool_result' ? toolResult.safeParse(part).data : undefined;
      if (!result) continue;
      const tool = tools.get(result.tool_use_id) ?? 'unknown';
      tools.delete(result.tool_use_id);
      transcript.toolResult(tool, result.is_error !== true, contentText(result.content));
    }
  }

  function system(message: Extract<Message, { type: 'system' }>): void {
    if (message.subtype === 'init') transcript.milestone('agent_ready', message.model ?? '');
    else if (message.subtype === 'compact_boundary') transcript.milestone('context_compacted', '');
    else if (message.subtype === 'task_started')
      transcript.milestone('subagent_started', message.description ?? '');
    else if (message.subtype === 'api_retry')
      transcript.error(
        'model_retry',
        `status ${message.error_status ?? 'none'}, try ${message.attempt ?? '?'}`,
      );
  }

  return {
    get ending() {
      return ending;
    },
    read(raw) {
      const { data } = messageSchema.safeParse(raw);
      if (data?.type === 'assistant') assistant(data);
      else if (data?.type === 'user') user(data);
      else if (data?.type === 'system') system(data);
      else if (data?.type === 'result')
        ending = {
          ok: data.subtype === 'success' && !data.is_error,
          text: data.result ?? data.errors?.join('; ') ?? data.subtype,
        };
    },
  };
}

function textOf(part: z.infer<typeof block>): string {
  const text = part.type === 'thinking' ? part.thinking : part.type === 'text' ? part.text : undefined;
  return typeof text === 'string' ? text : '';
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  const parts = z.array(block).safeParse(content).data ?? [];
  return parts.map((part) => textOf(part) || `(${part.type})`).join('\n');
}
