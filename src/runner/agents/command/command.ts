import { BgAgentError, messageOf } from '../../../task/errors.ts';
import type { CodingAgent } from '../agent.ts';
import { appendNudge } from './nudge-file.ts';

/** Runs any command line by `sh -c` in the workspace: codemods, formatters, `npm audit fix`, or an agent of one's own. */
export function createCommandAgent(): CodingAgent {
  return {
    type: 'command',
    takesNudges: true,
    async run({ agent, environment, promptFile, summaryFile, nudgeFile, nudges, print, start }) {
      if (agent.command === null || agent.command.trim() === '')
        throw new BgAgentError(
          'AGENT_NOT_AVAILABLE',
          'the `command` agent has no command: set agent_command of the repository',
        );
      const { ended } = await start(agent.command, {
        ...environment,
        BGAGENT_PROMPT_FILE: promptFile,
        BGAGENT_SUMMARY_FILE: summaryFile,
        BGAGENT_NUDGE_FILE: nudgeFile,
      });
      // One after the other, so that they lie in the file as they came.
      let writing: Promise<void> = Promise.resolve();
      const stopListening = nudges.listen((nudge) => {
        writing = writing.then(async () => {
          try {
            await appendNudge(nudgeFile, nudge);
            nudges.delivered(nudge.nudge_id, 'file');
          } catch (error) {
            print(`a nudge could not be written: ${messageOf(error)}\n`);
            nudges.refused(nudge.nudge_id, 'its file could not be written');
          }
        });
      });
      const { code, signal } = await ended.finally(stopListening);
      await writing;
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
