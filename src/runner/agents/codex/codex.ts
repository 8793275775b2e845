import { PassThrough, Readable } from 'node:stream';
import { BgAgentError, messageOf } from '../../../task/errors.ts';
import type { AgentInput, AgentModel, AgentProcess, AgentResult, CodingAgent } from '../agent.ts';
import { commandLineOf } from '../command-line.ts';
import { repositoryGuidance } from '../guidance.ts';
import { createLines } from '../lines.ts';
import { createTranscript } from '../transcript.ts';
import { createEventReader } from './events.ts';
import { codexFolders, codexProgram } from './program.ts';

/**
 * Codex, by way of `codex exec --json`. It runs in the sandbox and reaches nothing but the runner's model gateway; the
 * configuration and rules of the machine and of the repository are not loaded.
 */
export function createCodexAgent(): CodingAgent {
  return { type: 'codex', speaks: 'openai', readable: codexFolders, run };
}

/** By this variable Codex is given the key of the gateway. */
const KEY_VARIABLE = 'BGAGENT_MODEL_KEY';

async function run(input: AgentInput): Promise<AgentResult> {
  const { model, environment, workspace } = input;
  if (!model) throw new BgAgentError('AGENT_NOT_AVAILABLE', 'the `codex` agent got no model');
  const program = await codexProgram(environment);
  const transcript = createTranscript(input);
  const reader = createEventReader(transcript, model.turns);
  const prompt = [ALONE, input.prompt, await repositoryGuidance(workspace)].filter(Boolean).join('\n\n');
  const stdout = createLines();
  const child = await input.start(
    commandLineOf(program, argumentsFor(input, model)),
    { ...environment, [KEY_VARIABLE]: model.key },
    { stdin: Readable.from([prompt]), stdout },
  );
  const failure = await readAll(
    stdout.pipe(new PassThrough({ objectMode: true })),
    stdout,
    child,
    reader.read,
  );
  const { code, signal } = await child.ended;
  input.signal.throwIfAborted();
  const { ending } = reader;
  if (code === 0 && ending?.ok) return { kind: 'done', summary: ending.text === '' ? null : ending.text };
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  const message =
    failure === undefined
      ? ending && !ending.ok
        ? ending.text
        : `Codex ended with ${how}`
      : messageOf(failure);
  transcript.error(ending ? 'agent_failed' : 'agent_crashed', message);
  return { kind: 'failed', message };
}

/** Reads what it says until it has ended. Returns why it was given up, if it was. */
async function readAll(
  lines: PassThrough,
  source: NodeJS.EventEmitter,
  child: AgentProcess,
  read: (line: string) => void,
): Promise<unknown> {
  let failure: unknown;
  source.on('error', (error) => {
    failure = error;
    lines.end();
    child.kill();
  });
  child.ended.then(
    () => lines.end(),
    () => lines.end(),
  );
  for await (const line of lines) read(String(line));
  return failure;
}

const ALONE = [
  'Nobody watches and nobody can answer: decide yourself, and say in your last message what you did and why.',
  'Do not commit, push or open pull requests: that is done for you when you have ended.',
].join(' ');

function argumentsFor({ workspace }: AgentInput, model: AgentModel): string[] {
  const provider = 'model_providers.bgagent';
  const settings: Record<string, string | number | boolean> = {
    model_provider: 'bgagent',
    [`${provider}.name`]: 'bgagent',
    [`${provider}.base_url`]: `${model.url}/v1`,
    [`${provider}.wire_api`]: 'responses',
    [`${provider}.env_key`]: KEY_VARIABLE,
    // The gateway tries again itself.
    [`${provider}.request_max_retries`]: 1,
    [`${provider}.stream_max_retries`]: 1,
    // What the repository says to agents is in the prompt, marked as such.
    project_doc_max_bytes: 0,
    web_search: 'disabled',
    check_for_update_on_startup: false,
    'analytics.enabled': false,
  };
  return [
    'exec',
    '--json',
    '--ephemeral',
    '--ignore-user-config',
    '--ignore-rules',
    '--skip-git-repo-check',
    // It has a sandbox of its own, which can't be set up inside of ours.
    '--dangerously-bypass-approvals-and-sandbox',
    '-C',
    workspace,
    '-m',
    model.main,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${JSON.stringify(value)}`]),
    '-',
  ];
}
