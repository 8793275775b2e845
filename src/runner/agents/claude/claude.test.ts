import { afterAll, describe, it } from 'vitest';
import { agentContract } from '../../../../test/contracts/agent.contract.ts';
import { claudeMissing } from '../../../../test/fixtures/installed-agents.ts';
import { createScriptedAgent } from '../../../../test/fixtures/scripted-agent.ts';
import { createClaudeAgent } from './claude.ts';

const missing = claudeMissing();
if (missing !== undefined)
  describe(`agent: claude (skipped: ${missing})`, () => it.skip('all of it', () => undefined));
else {
  const scripted = await createScriptedAgent({
    shell: (command) => ({ name: 'Bash', input: { command, description: 'Does it' } }),
    models: { main: 'claude-sonnet-5-5', small: 'claude-haiku-5-5' },
  });
  afterAll(() => scripted.server.close());

  agentContract('claude', {
    agent: createClaudeAgent(),
    settings(behaviour) {
      scripted.behave(behaviour);
      return { type: 'claude', command: null, model_id: null };
    },
    unavailable: () => null,
    model: () => scripted.model,
  });
}
