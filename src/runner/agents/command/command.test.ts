import { type AgentBehaviour, agentContract } from '../../../../test/contracts/agent.contract.ts';
import { createCommandAgent } from './command.ts';

const COMMANDS: Readonly<Record<AgentBehaviour, string>> = {
  work: 'echo done > done.txt',
  'repeat-prompt': 'cp "$BGAGENT_PROMPT_FILE" prompt.txt',
  'nothing-to-do': 'echo "Nothing to do." > "$BGAGENT_SUMMARY_FILE"',
  crash: 'echo begun; kill -SEGV $$',
  hang: 'echo begun; sleep 600',
  'hang-stubborn': `trap '' TERM INT HUP QUIT; echo begun; while :; do sleep 600; done`,
  'print-much': 'yes 123456789 | head -c 10000000',
  'leave-daemon': 'setsid sleep 600 >/dev/null 2>&1 &',
};

agentContract('command', {
  agent: createCommandAgent(),
  settings: (behaviour) => ({ type: 'command', command: COMMANDS[behaviour], model_id: null }),
  unavailable: () => ({ type: 'command', command: ' ', model_id: null }),
});
