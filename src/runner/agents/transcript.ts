import type { AgentInput } from './agent.ts';

/** What an agent with a model does, told twice: as events for people who watch, and as lines in the log. */
export interface Transcript {
  /** A call of the main model; `text` is what it said or thought. */
  turn(turn: number, text: string): void;
  toolCall(tool: string, input: unknown): void;
  toolResult(tool: string, ok: boolean, text: string): void;
  error(type: string, text: string): void;
  milestone(milestone: string, text: string): void;
}

/** More than any honest run has; a flood of events would only fill the history. */
const MOST_EVENTS = 10_000;
/** Longest part of one message that goes to the log. */
const LOGGED_CHARS = 4_000;

export function createTranscript({ onEvent, print }: Pick<AgentInput, 'onEvent' | 'print'>): Transcript {
  let events = 0;
  const tell: AgentInput['onEvent'] = (type, metadata) => {
    events += 1;
    if (events <= MOST_EVENTS) onEvent(type, metadata);
    if (events === MOST_EVENTS)
      onEvent('agent_error', {
        error_type: 'too_many_events',
        preview: `no more than ${MOST_EVENTS} events of an agent are kept`,
      });
  };
  const log = (mark: string, text: string): void => {
    if (text.trim() !== '') print(`${mark} ${clip(text.trim(), LOGGED_CHARS)}\n`);
  };
  return {
    turn(turn, text) {
      tell('agent_turn', { turn, preview: text });
      log(`[turn ${turn}]`, text);
    },
    toolCall(tool, input) {
      const text = describe(input);
      tell('agent_tool_call', { tool, preview: text });
      log(`[${tool}]`, text);
    },
    toolResult(tool, ok, text) {
      tell('agent_tool_result', { tool, ok, preview: text });
      log(`[${tool}: ${ok ? 'ok' : 'failed'}]`, text);
    },
    error(type, text) {
      tell('agent_error', { error_type: type, preview: text });
      log(`[${type}]`, text);
    },
    milestone(milestone, text) {
      tell('agent_milestone', { milestone, preview: text });
      log(`[${milestone}]`, text);
    },
  };
}

/** The arguments of a tool as people would say them: a command or a path when that is what it's about. */
function describe(input: unknown): string {
  if (typeof input === 'string') return input;
  if (typeof input !== 'object' || input === null) return '';
  for (const name of ['command', 'file_path', 'path', 'pattern', 'url', 'description', 'prompt'])
    if (name in input) {
      const value = Object.entries(input).find(([key]) => key === name)?.[1];
      if (typeof value === 'string') return value;
    }
  return JSON.stringify(input);
}

const clip = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length)}… (${text.length - length} more characters)`;
