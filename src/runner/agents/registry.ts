import { BgAgentError } from '../../task/errors.ts';
import type { CodingAgent } from './agent.ts';

/** Each agent is loaded only when it's used. */
const AGENTS: Readonly<Record<string, () => Promise<CodingAgent>>> = {
  command: async () => (await import('./command/command.ts')).createCommandAgent(),
  claude: async () => (await import('./claude/claude.ts')).createClaudeAgent(),
  codex: async () => (await import('./codex/codex.ts')).createCodexAgent(),
};

/** The agent of that name. Throws AGENT_NOT_AVAILABLE. */
export async function loadAgent(type: string): Promise<CodingAgent> {
  const load = Object.hasOwn(AGENTS, type) ? AGENTS[type] : undefined;
  if (!load)
    throw new BgAgentError(
      'AGENT_NOT_AVAILABLE',
      `there is no agent ${JSON.stringify(type.slice(0, 80))} here; there is ${Object.keys(AGENTS).join(', ')}`,
    );
  return load();
}
