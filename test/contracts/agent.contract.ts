import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentInput, AgentModel, CodingAgent } from '../../src/runner/agents/agent.ts';
import type { EventType } from '../../src/task/events.ts';
import { type AgentRoom, createAgentRoom } from '../fixtures/agent-room.ts';

/** What the suite makes an agent do; how it's made to is the harness's business. */
export type AgentBehaviour =
  /** Writes `done.txt` into the workspace and ends well. */
  | 'work'
  /** Copies the prompt into `prompt.txt`. */
  | 'repeat-prompt'
  /** Changes nothing and says `Nothing to do.` */
  | 'nothing-to-do'
  /** Prints `begun`, then ends badly by itself. */
  | 'crash'
  /** Prints `begun`, then goes on for ten minutes. */
  | 'hang'
  /** As `hang`, ignoring every signal that can be ignored. */
  | 'hang-stubborn'
  /** Prints ten million characters. */
  | 'print-much'
  /** Leaves a process behind that goes on for ten minutes, and ends well. */
  | 'leave-daemon';

export interface AgentHarness {
  agent: CodingAgent;
  /** The settings that make the agent behave so. */
  settings(behaviour: AgentBehaviour): AgentInput['agent'];
  /** Settings under which it can't be started; null when there are none. */
  unavailable(): AgentInput['agent'] | null;
  /** The model of an agent that speaks to one. */
  model?(): AgentModel;
}

/** Every coding agent must pass this. */
export function agentContract(name: string, harness: AgentHarness): void {
  describe(`agent: ${name}`, () => {
    let room: AgentRoom;
    beforeEach(async () => {
      room = await createAgentRoom();
    });
    afterEach(async () => {
      const left = room.processes();
      await room.close();
      expect(left).toEqual([]);
    });

    const run = (behaviour: AgentBehaviour) =>
      harness.agent.run(room.input(harness.settings(behaviour), harness.model?.() ?? null));
    const told = (type: EventType) =>
      room.events.filter((event) => event.type === type).map(({ metadata }) => metadata);

    it('works in the workspace', async () => {
      expect(await run('work')).toMatchObject({ kind: 'done' });
      expect(existsSync(join(room.workspace, 'done.txt'))).toBe(true);
    });

    it('gets the prompt', async () => {
      await run('repeat-prompt');
      expect(room.read('prompt.txt')).toBe(room.prompt);
    });

    it('can say that there is nothing to do', async () => {
      const result = await run('nothing-to-do');
      const summary = result.kind === 'done' ? (result.summary ?? (await room.summary())) : null;
      expect(summary).toBe('Nothing to do.');
    });

    it('that ends badly is a failure with a reason', async () => {
      expect(await run('crash')).toMatchObject({ kind: 'failed', message: expect.stringMatching(/\S/) });
      expect(room.output()).toContain('begun');
    });

    it.each(['hang', 'hang-stubborn'] as const)(
      'is gone when it is stopped in the middle: %s',
      async (behaviour) => {
        const running = run(behaviour).catch((error: unknown) => error);
        await room.printed('begun');
        room.stop();
        await running;
        expect(room.processes()).toEqual([]);
      },
    );

    it('does not begin when it is stopped before', async () => {
      room.stop();
      await run('work').catch(() => undefined);
      expect(existsSync(join(room.workspace, 'done.txt'))).toBe(false);
    });

    it('may print as much as it likes', async () => {
      expect(await run('print-much')).toMatchObject({ kind: 'done' });
    });

    it('leaves no process behind', async () => {
      expect(await run('leave-daemon')).toMatchObject({ kind: 'done' });
      expect(room.processes()).toEqual([]);
    });

    it.runIf(harness.agent.speaks)('tells of its turns and tools', async () => {
      await run('work');
      const turns = told('agent_turn').map(({ turn }) => turn);
      expect(turns.at(-1)).toBe(2);
      expect(turns).toEqual([...turns].sort());
      expect(told('agent_tool_call')).toEqual([
        { tool: expect.any(String), preview: expect.stringContaining('done.txt') },
      ]);
      expect(told('agent_tool_result')).toMatchObject([{ tool: expect.any(String), ok: true }]);
      expect(told('agent_milestone')).toMatchObject([{ milestone: 'agent_ready' }]);
    });

    it.runIf(harness.agent.speaks)('tells of what went wrong', async () => {
      await run('crash');
      expect(told('agent_error').at(-1)).toMatchObject({ error_type: 'agent_crashed' });
    });

    it.runIf(harness.agent.speaks)('without a model says so', async () => {
      const input = room.input(harness.settings('work'), null);
      await expect(harness.agent.run(input)).rejects.toMatchObject({ code: 'AGENT_NOT_AVAILABLE' });
    });

    it('that can not be started says so', async ({ skip }) => {
      const settings = harness.unavailable();
      if (settings === null) return skip(`${name} can always be started`);
      await expect(harness.agent.run(room.input(settings))).rejects.toMatchObject({
        code: 'AGENT_NOT_AVAILABLE',
      });
    });
  });
}
