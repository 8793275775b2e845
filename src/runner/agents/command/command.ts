import { BgAgentError } from '../../../task/errors.ts';
import type { CodingAgent } from '../agent.ts';

/** Runs any command line by `sh -c` in the workspace: codemods, formatters, `npm audit fix`, or an agent of one's own. */
export function createCommandAgent(): CodingAgent {
  return {
    type: 'command',
    async run({ agent, environment, promptFile, summaryFile, start }) {
      if (agent.command === null || agent.command.trim() === '')
        throw new BgAgentError(
          'AGENT_NOT_AVAILABLE',
          'the `command` agent has no command: set agent_command of the repository',
        );
      const { ended } = await start(agent.command, {
        ...environment,
        BGAGENT_PROMPT_FILE: promptFile,
        BGAGENT_SUMMARY_FILE: summaryFile,
      });
      const { code, signal } = await ended;
      if (code === 0) return { kind: 'done', summary: null };
      return {
        kind: 'failed',
        message:
          signal === null
            ? `the command ended with exit code ${code}`
            : `the command was killed by ${signal}`,
      };
    },
  };
}
