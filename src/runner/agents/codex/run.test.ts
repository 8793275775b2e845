import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createModelServer, type ModelServer } from '../../../../test/fakes/model-server.ts';
import { codexMissing } from '../../../../test/fixtures/installed-agents.ts';
import {
  createRunnerWorld,
  fileOnBranch,
  isRunning,
  type RunnerWorld,
  sandboxMissing,
  type TaskOptions,
} from '../../../../test/fixtures/runner.ts';

const missing = (await codexMissing()) ?? (await sandboxMissing());
const PLANTED = 'planted-upstream-secret-0002';
const FILES = {
  'README.md': '# Hello\n',
  'AGENTS.md': 'Greet in MARKER-GUIDANCE.\n',
  '.codex/config.toml': '[mcp_servers.own]\ncommand = "touch"\nargs = ["mcp-ran.txt"]\n',
};

/** The real Codex in the real sandbox, by way of the real runner and gateway; only the model is scripted. */
describe.skipIf(missing)(`codex in a whole run${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let world: RunnerWorld;
  let server: ModelServer;
  beforeEach(async () => {
    [world, server] = await Promise.all([createRunnerWorld({ files: FILES }), createModelServer()]);
  });
  afterEach(async () => {
    await world.close();
    await server.close();
  });

  const task = (limits: TaskOptions['limits'] = {}): TaskOptions => ({
    sandbox: true,
    limits,
    model: {
      provider: 'openai',
      base_url: server.url,
      auth: 'bearer',
      secret: PLANTED,
      main_model: 'gpt-6-sol',
      small_model: 'gpt-6-sol',
      prices: {},
    },
    payload: { agent: { type: 'codex', command: null, model_id: null } },
  });
  const shell = (cmd: string) => ({ name: 'exec_command', input: { cmd } });

  it('changes files over several turns, and is paid by the gateway', async () => {
    server.script(
      { text: 'I write it.', tools: [shell('echo hallo > greeting.txt; env | rev > seen.txt')] },
      { status: 503 },
      { text: 'It greets.' },
    );
    const { outcome, payload, platform, log } = await world.run(task());
    expect(outcome).toMatchObject({ result: 'changes', summary: 'It greets.', turns_completed: 2 });
    expect(outcome?.cost_usd).toBeGreaterThan(0);
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'greeting.txt')).toBe('hallo');
    const told = (type: string) => platform.events.filter(({ event_type }) => event_type === type);
    expect(told('agent_tool_call').map(({ metadata }) => metadata.tool)).toEqual(['shell']);
    expect(told('agent_turn').map(({ metadata }) => metadata.turn)).toEqual([1, 2]);
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'mcp-ran.txt')).toBeUndefined();
    expect(server.requests[0]?.text.match(/MARKER-GUIDANCE/g)).toHaveLength(1);
    const seen = fileOnBranch(world.repo, payload.repo.branch_name, 'seen.txt') ?? '';
    expect(seen).toContain([...'BGAGENT_TASK_ID='].reverse().join(''));
    expect(seen).not.toContain([...PLANTED].reverse().join(''));
    expect(JSON.stringify([log, platform.events, outcome])).not.toContain(PLANTED);
  });

  it('stops at the budget and keeps the work so far (R3, O7)', async () => {
    const usage = { input: 100_000, output: 1_000 };
    server.script(
      ...['one', 'two', 'three'].map((name) => ({ tools: [shell(`echo ${name} > ${name}.txt`)], usage })),
    );
    const { outcome, payload } = await world.run(task({ max_budget_usd: 0.3 }));
    expect(outcome).toMatchObject({ result: 'budget', partial: true, error: { code: 'BUDGET_REACHED' } });
    expect(server.requests).toHaveLength(2);
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'two.txt')).toBe('two');
  });

  it('stops at the turn cap and keeps the work so far', async () => {
    server.script(
      ...['one', 'two', 'three'].map((name) => ({ tools: [shell(`echo ${name} > ${name}.txt`)] })),
    );
    const { outcome, payload } = await world.run(task({ max_turns: 2 }));
    expect(outcome).toMatchObject({ result: 'turn_limit', partial: true, turns_completed: 2 });
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'two.txt')).toBe('two');
  });

  it('goes on when the provider is overloaded, slow, and breaks off', async () => {
    server.script(
      { status: 429, headers: { 'retry-after': '0' } },
      { tools: [shell('echo hallo > greeting.txt')], pieceMs: 20 },
      { text: 'It gre', breakAfter: 4 },
      { text: 'It greets.' },
    );
    const { outcome, payload } = await world.run(task());
    expect(outcome).toMatchObject({ result: 'changes', summary: 'It greets.' });
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'greeting.txt')).toBe('hallo');
  });

  it('is cancelled in the middle of a tool', async () => {
    server.script({ tools: [shell('echo half > half.txt; sleep 600.85')] });
    const given = task();
    const running = await world.start({ ...given, payload: { ...given.payload, heartbeat_interval_s: 0.1 } });
    while (!isRunning('sleep 600.85')) await new Promise((resolve) => setTimeout(resolve, 20));
    running.platform.reply = { cancel_requested: true, nudges: [] };
    const { outcome, payload } = await running.ended;
    expect(outcome).toMatchObject({ result: 'cancelled', partial: true });
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'half.txt')).toBe('half');
    expect(isRunning('sleep 600.85')).toBe(false);
  });

  it('fails with what the provider said when it refuses', async () => {
    const body = { error: { message: 'No credit.', type: 'invalid_request_error', param: null, code: null } };
    server.script(...Array.from({ length: 20 }, () => ({ status: 400, body })));
    const { outcome } = await world.run(task());
    expect(outcome).toMatchObject({
      result: 'failed',
      error: { code: 'AGENT_FAILED', message: expect.stringContaining('No credit.') },
    });
  });
});
