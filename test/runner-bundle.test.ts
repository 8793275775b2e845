import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleRunner } from '../scripts/bundle-runner.ts';
import { createRunnerWorld, sandboxMissing } from './fixtures/runner.ts';

const missing = await sandboxMissing();
if (missing !== undefined) process.stdout.write(`skipped: the bundled runner in the sandbox: ${missing}\n`);

describe('the bundled runner', () => {
  let folder: string;
  let file: string;
  beforeAll(async () => {
    // Away from this package: nothing of node_modules is found from there.
    folder = await mkdtemp(join(tmpdir(), 'bgagent-bundle-'));
    file = await bundleRunner(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('is one file, with the sandbox’s helpers beside it', async () => {
    expect((await readdir(folder)).sort()).toEqual(['runner.js', 'vendor']);
  });

  it.for([
    { where: 'without a sandbox', mode: 'off' as const, egress: [] },
    ...(missing === undefined
      ? [
          { where: 'in the sandbox', mode: 'required' as const, egress: [] },
          { where: 'in the sandbox with a proxy', mode: 'required' as const, egress: ['example.com'] },
        ]
      : []),
  ])('does a task, $where', async ({ mode, egress }) => {
    const world = await createRunnerWorld({ runner: [process.execPath, file] });
    try {
      const task = { command: 'echo x > x.txt', payload: { sandbox: { mode, egress, deny_read: [] } } };
      const { outcome, exitCode, printed } = await world.run(task);
      expect({ exitCode, printed, result: outcome?.result, error: outcome?.error }).toEqual({
        exitCode: 0,
        printed: '',
        result: 'changes',
        error: null,
      });
    } finally {
      await world.close();
    }
  });
});
