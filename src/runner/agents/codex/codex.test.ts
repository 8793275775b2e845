import { afterAll, describe, expect, it } from 'vitest';
import { agentContract } from '../../../../test/contracts/agent.contract.ts';
import { codexMissing } from '../../../../test/fixtures/installed-agents.ts';
import { createScriptedAgent } from '../../../../test/fixtures/scripted-agent.ts';
import { createCodexAgent } from './codex.ts';

describe('codex', () => {
  it('that is not installed is said with the way to install it', async () => {
    await expect(createCodexAgent().readable?.({ PATH: '/nowhere' })).rejects.toMatchObject({
      code: 'AGENT_NOT_AVAILABLE',
      message: expect.stringContaining('npm install --global @openai/codex'),
    });
  });
});

const missing = await codexMissing();
if (missing !== undefined)
  describe(`agent: codex (skipped: ${missing})`, () => it.skip('all of it', () => undefined));
else {
  const scripted = await createScriptedAgent({
    shell: (cmd) => ({ name: 'exec_command', input: { cmd } }),
    models: { main: 'gpt-6-sol', small: 'gpt-6-sol' },
  });
  afterAll(() => scripted.server.close());

  agentContract('codex', {
    agent: createCodexAgent(),
    settings(behaviour) {
      scripted.behave(behaviour);
      return { type: 'codex', command: null, model_id: null };
    },
    unavailable: () => null,
    model: () => scripted.model,
  });
}
