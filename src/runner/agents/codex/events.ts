import { z } from 'zod';
import type { Transcript } from '../transcript.ts';

/** The lines of `codex exec --json` that matter here; the program that sends them is not trusted. */
const text = z.string().catch('');
const itemSchema = z.object({
  type: z.string(),
  text,
  message: text,
  command: text,
  aggregated_output: text,
  exit_code: z.number().nullish().catch(null),
  status: text,
  query: text,
  tool: text,
  changes: z.array(z.object({ path: z.string(), kind: text })).catch([]),
});
type Item = z.infer<typeof itemSchema>;

const eventSchema = z.object({
  type: z.string(),
  item: itemSchema.optional(),
  message: text,
  error: z.object({ message: text }).optional().catch(undefined),
});

export interface EventReader {
  /** A line of its output; what is no event is passed over. */
  read(line: string): void;
  /** Undefined until it has said how it ended. */
  readonly ending: { ok: boolean; text: string } | undefined;
}

/** `turns` = calls of the main model so far, as the gateway counts them: Codex doesn't tell. */
export function createEventReader(transcript: Transcript, turns: () => number): EventReader {
  let told = 0;
  let lastMessage = '';
  let ending: EventReader['ending'];

  function tellTurn(said: string): void {
    const turn = turns();
    if (turn <= told && said === '') return;
    told = Math.max(turn, told);
    transcript.turn(told, said);
  }

  function begun(item: Item): void {
    tellTurn('');
    if (item.type === 'command_execution') transcript.toolCall('shell', item.command);
    else if (item.type === 'mcp_tool_call') transcript.toolCall(item.tool || 'mcp', item.query);
    else if (item.type === 'web_search') transcript.toolCall('web_search', item.query);
  }

  function completed(item: Item): void {
    const ok = item.status !== 'failed' && (item.exit_code ?? 0) === 0;
    if (item.type === 'agent_message') {
      lastMessage = item.text;
      tellTurn(item.text);
    } else if (item.type === 'reasoning') tellTurn(item.text);
    else if (item.type === 'command_execution') transcript.toolResult('shell', ok, item.aggregated_output);
    else if (item.type === 'mcp_tool_call') transcript.toolResult(item.tool || 'mcp', ok, '');
    else if (item.type === 'file_change') {
      const files = item.changes.map(({ path, kind }) => `${kind} ${path}`).join(', ');
      transcript.toolCall('edit', files);
      transcript.toolResult('edit', ok, files);
    } else if (item.type === 'error') transcript.error('agent_warning', item.message);
  }

  return {
    get ending() {
      return ending;
    },
    read(line) {
      const { data } = eventSchema.safeParse(parsed(line));
      if (!data) return;
      if (data.type === 'thread.started') transcript.milestone('agent_ready', '');
      else if (data.type === 'item.started' && data.item) begun(data.item);
      else if (data.type === 'item.completed' && data.item) completed(data.item);
      else if (data.type === 'turn.completed') ending = { ok: true, text: lastMessage };
      else if (data.type === 'turn.failed')
        ending = { ok: false, text: data.error?.message || 'Codex gave up without a reason' };
      else if (data.type === 'error') transcript.error('model_error', data.message);
    },
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // Something else that was printed.
    return undefined;
  }
}
