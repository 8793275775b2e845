import type { Options } from '@anthropic-ai/claude-agent-sdk';
import { BgAgentError, messageOf } from '../../../task/errors.ts';
import type { AgentInput, AgentModel, AgentResult, CodingAgent } from '../agent.ts';
import { repositoryGuidance } from '../guidance.ts';
import { createTranscript } from '../transcript.ts';
import { type Conversation, createConversation, ECHO_OPTION } from './conversation.ts';
import { createMessageReader } from './messages.ts';
import { SandboxedProcess } from './process.ts';
import { claudeFolder, claudeProgram, loadSdk } from './sdk.ts';

/**
 * What an unattended run has use for. Left out: what asks a person, what runs later or elsewhere, and search on the web, which
 * the model's provider would do and charge for where no sandbox of ours is in between.
 */
const TOOLS = [
  'Agent',
  'Bash',
  'Edit',
  'Glob',
  'Grep',
  'NotebookEdit',
  'Read',
  'TaskStop',
  'TodoWrite',
  'WebFetch',
  'Write',
];

const ALONE = [
  'Nobody watches and nobody can answer: decide yourself, and say in your last message what you did and why.',
  'Do not commit, push or open pull requests: that is done for you when you have ended.',
].join(' ');

/**
 * Claude, by way of the Claude Agent SDK. Its program runs in the sandbox and reaches nothing but the runner's model gateway;
 * settings, hooks, skills and MCP servers of the machine and of the repository are not loaded.
 */
export function createClaudeAgent(): CodingAgent {
  return {
    type: 'claude',
    speaks: 'anthropic',
    takesNudges: true,
    readable: async () => [claudeFolder()],
    run,
  };
}

async function run(input: AgentInput): Promise<AgentResult> {
  const { model, signal, workspace } = input;
  if (!model) throw new BgAgentError('AGENT_NOT_AVAILABLE', 'the `claude` agent got no model');
  const { query } = await loadSdk();
  signal.throwIfAborted();
  const transcript = createTranscript(input);
  const reader = createMessageReader(transcript);
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  signal.addEventListener('abort', stop, { once: true });
  const started: SandboxedProcess[] = [];
  let conversation: Conversation | undefined;
  let failure: unknown;
  try {
    const prompt = [input.prompt, await repositoryGuidance(workspace)].filter(Boolean).join('\n');
    conversation = createConversation(prompt, input);
    const options: Options = {
      ...optionsFor(input, model),
      abortController: abort,
      spawnClaudeCodeProcess(request) {
        const child = new SandboxedProcess(request, input.start);
        started.push(child);
        return child;
      },
    };
    for await (const message of query({ prompt: conversation.messages, options })) {
      reader.read(message);
      conversation.hear(message);
    }
  } catch (error) {
    failure = error;
  } finally {
    signal.removeEventListener('abort', stop);
    conversation?.end();
    for (const child of started) child.kill();
  }
  // Nothing of it may be left when this returns; that it could not be started at all is told here, too.
  for (const child of started) await child.ended;
  signal.throwIfAborted();
  const { ending } = reader;
  if (ending?.ok) return { kind: 'done', summary: ending.text };
  const message = ending?.text ?? `Claude ended without a result: ${messageOf(failure ?? 'no reason given')}`;
  transcript.error(ending ? 'agent_failed' : 'agent_crashed', message);
  return { kind: 'failed', message };
}

function optionsFor({ workspace, environment }: AgentInput, model: AgentModel): Options {
  return {
    cwd: workspace,
    env: { ...environment, ...modelEnvironment(model) },
    extraArgs: ECHO_OPTION,
    model: model.main,
    pathToClaudeCodeExecutable: claudeProgram(),
    permissionMode: 'bypassPermissions',
    allowDangerouslySkipPermissions: true,
    permissionPrompts: 'none',
    persistSession: false,
    settingSources: [],
    settings: { attribution: { commit: '', pr: '' }, includeGitInstructions: false, disableAllHooks: true },
    strictMcpConfig: true,
    skills: [],
    systemPrompt: { type: 'preset', preset: 'claude_code', append: ALONE },
    tools: [...TOOLS],
  };
}

const modelEnvironment = ({ url, key, main, small }: AgentModel): Record<string, string> => ({
  ANTHROPIC_BASE_URL: url,
  ANTHROPIC_API_KEY: key,
  // Whatever name it takes for a model, it gets one that the gateway lets through.
  ANTHROPIC_MODEL: main,
  ANTHROPIC_DEFAULT_OPUS_MODEL: main,
  ANTHROPIC_DEFAULT_SONNET_MODEL: main,
  ANTHROPIC_DEFAULT_HAIKU_MODEL: small,
  ANTHROPIC_SMALL_FAST_MODEL: small,
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  DISABLE_AUTOUPDATER: '1',
  CLAUDE_CODE_MAX_RETRIES: '2',
  // Without it, it refuses to work unattended for root, which is what containers run as. The runner sees to the sandbox.
  IS_SANDBOX: '1',
});
