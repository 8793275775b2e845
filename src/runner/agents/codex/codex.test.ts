import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentContract } from '../../../../test/contracts/agent.contract.ts';
import { codexMissing } from '../../../../test/fixtures/installed-agents.ts';
import { createScriptedAgent } from '../../../../test/fixtures/scripted-agent.ts';
import { createCodexAgent } from './codex.ts';
import { codexFolders, codexProgram } from './program.ts';

describe('codex', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'bgagent-codex-')));
    await mkdir(join(folder, 'bin'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const install = async (path: string): Promise<string> => {
    const program = join(folder, path);
    await mkdir(dirname(program), { recursive: true });
    await writeFile(program, '', { mode: 0o755 });
    await symlink(program, join(folder, 'bin/codex'));
    return program;
  };
  const environment = () => ({ PATH: `/nowhere:${join(folder, 'bin')}` });

  it('of npm is run where it lies, beside its other packages, which can be read', async () => {
    const program = await install('lib/node_modules/@openai/codex/bin/codex.js');
    expect(await codexProgram(environment())).toBe(program);
    expect(await codexFolders(environment())).toContain(join(folder, 'lib/node_modules/@openai'));
  });

  it('by a link of another kind is run by that name', async () => {
    const program = await install('tools/shim');
    expect(await codexProgram(environment())).toBe(join(folder, 'bin/codex'));
    expect(await codexFolders(environment())).toEqual([join(folder, 'bin/codex'), program]);
  });

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
