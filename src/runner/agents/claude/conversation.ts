import type { SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';
import { z } from 'zod';
import { fence } from '../../../task/fence.ts';
import type { AgentInput, Nudge } from '../agent.ts';

/** The program tells by the message's own id when it has taken it up; it's asked to by this option of its. */
export const ECHO_OPTION: Record<string, null> = { 'replay-user-messages': null };

const echo = z.object({ type: z.literal('user'), isReplay: z.literal(true), uuid: z.string() });
const result = z.object({ type: z.literal('result'), is_error: z.boolean().optional() });

/** What is said to Claude: the task, and what people say while it works. */
export interface Conversation {
  /** For the SDK. */
  messages: AsyncIterable<SDKUserMessage>;
  /** Looks at what Claude says for what it has taken up, and whether there is more to say. */
  hear(raw: unknown): void;
  /** Nothing more is said. */
  end(): void;
}

/** Begins with the prompt; each nudge becomes a turn of its own, and is delivered when the program has taken it up. */
export function createConversation(prompt: string, { nudges }: Pick<AgentInput, 'nudges'>): Conversation {
  /** Nudges that were said, by the id of their message, and not taken up yet. */
  const open = new Map<string, string>();
  const queue: SDKUserMessage[] = [];
  let over = false;
  let wake: () => void = () => undefined;

  function say(text: string): string {
    const uuid = crypto.randomUUID();
    queue.push({
      type: 'user',
      message: { role: 'user', content: [{ type: 'text', text }] },
      parent_tool_use_id: null,
      uuid,
      session_id: '',
    });
    wake();
    return uuid;
  }

  say(prompt);
  const stopListening = nudges.listen((nudge) => open.set(say(textOf(nudge)), nudge.nudge_id));
  function end(): void {
    over = true;
    stopListening();
    wake();
  }

  async function* messages(): AsyncGenerator<SDKUserMessage, void, undefined> {
    for (;;) {
      for (let message = queue.shift(); message; message = queue.shift()) yield message;
      if (over) return;
      const more = Promise.withResolvers<void>();
      wake = more.resolve;
      await more.promise;
    }
  }

  return {
    messages: messages(),
    end,
    hear(raw) {
      const taken = echo.safeParse(raw).data;
      const nudgeId = taken && open.get(taken.uuid);
      if (taken && nudgeId !== undefined) {
        open.delete(taken.uuid);
        nudges.delivered(nudgeId, 'turn');
      }
      const ended = result.safeParse(raw).data;
      // A nudge that came too late for this turn begins the next one, unless there will be none.
      if (ended && (open.size === 0 || ended.is_error)) end();
    },
  };
}

const textOf = ({ message }: Nudge): string =>
  [
    'The person who gave you the task says this while you work. Take it into account and go on:',
    fence('message', message),
  ].join('\n\n');
