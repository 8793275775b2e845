import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from './source-tree.ts';

/** What a person gets who installs the package: packed, installed from its tarball into an empty folder, and used there. */

const run = promisify(execFile);
const MINUTES_5 = 300_000;

const folder = mkdtempSync(join(tmpdir(), 'bgagent-package-'));
const home = mkdtempSync(join(tmpdir(), 'bgagent-home-'));
let unreachable: string | undefined;

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** As in a shell of its own: nothing of the clone is on the path but the Node that runs this test. */
const shell = {
  PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
  HOME: home,
  TMPDIR: folder,
};
const inFolder = (file: string, args: readonly string[], env: NodeJS.ProcessEnv = shell) =>
  run(file, args, { cwd: folder, env, timeout: MINUTES_5, maxBuffer: 64 * 1024 * 1024 });
const bgagent = (...args: string[]) => inFolder(join(folder, 'node_modules/.bin/bgagent'), args);

/** How npm reaches its registry here, without what it says of the project whose script runs this test. */
const npmEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^npm_(package|lifecycle|config_local_prefix|command)|^INIT_CWD$/.test(name),
  ),
);

beforeAll(async () => {
  const built = join(folder, 'dist');
  await run(process.execPath, [join(ROOT, 'scripts/build.ts'), built], { cwd: ROOT });
  await run(process.execPath, [join(ROOT, 'scripts/pack.ts'), folder, built], { cwd: ROOT });
  rmSync(built, { recursive: true });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  // The overrides are the clone's: they pin what some registries don't have yet in the newest version.
  const { overrides } = manifest;
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, overrides }));
  try {
    await inFolder(
      'npm',
      ['install', '--no-audit', '--no-fund', '--prefer-offline', `./${tarball}`],
      npmEnvironment,
    );
  } catch (error) {
    if (process.env.CI || !/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(String(error)))
      throw error;
    unreachable = 'the package registry can not be reached';
  }
}, MINUTES_5);

afterAll(() => {
  for (const each of [folder, home]) rmSync(each, { recursive: true, force: true, maxRetries: 5 });
});

describe('the installed package', () => {
  const needsRegistry = (body: () => Promise<void>) => async (context: { skip(reason: string): never }) => {
    if (unreachable !== undefined) context.skip(unreachable);
    await body();
  };

  it(
    'brings no tools, no Node and no sources of the clone',
    needsRegistry(async () => {
      const installed = JSON.parse(readFileSync(join(folder, 'node_modules/bgagent/package.json'), 'utf8'));
      expect(Object.keys(installed).sort()).toEqual(
        [
          'bin',
          'dependencies',
          'description',
          'engines',
          'exports',
          'license',
          'name',
          'type',
          'version',
        ].sort(),
      );
      expect(installed.engines).toEqual({ node: '>=24' });
      const files = readdirSync(join(folder, 'node_modules/bgagent'), { recursive: true }).map(String);
      expect(files.filter((file) => /\.test\.|(^|\/)src\//.test(file) || /(?<!\.d)\.ts$/.test(file))).toEqual(
        [],
      );
    }),
  );

  it(
    'says its version and its help',
    needsRegistry(async () => {
      expect((await bgagent('--version')).stdout.trim()).toBe(manifest.version);
      expect((await bgagent('--help')).stdout).toContain('Usage: bgagent');
    }),
  );

  it(
    'runs the demo on a generated repository',
    needsRegistry(async () => {
      const { stdout } = await bgagent('demo', '--json');
      expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
        status: 'COMPLETED',
        outcome: 'changes',
        files_changed: 1,
      });
    }),
    MINUTES_5,
  );

  it(
    'offers the durable engine as bgagent/runtime',
    needsRegistry(async () => {
      writeFileSync(
        join(folder, 'workflow.mjs'),
        `import { createSqliteRuntime } from 'bgagent/runtime';
         const runtime = await createSqliteRuntime({ file: './engine.db' });
         runtime.register('add', async (event, ctx) => {
           const sum = await ctx.step('add', async () => event.a + event.b);
           return ctx.step('double', async () => sum * 2);
         });
         await runtime.start('add', { a: 1, b: 2 }, { id: 'add-1' });
         console.log(JSON.stringify(await runtime.result('add-1')));
         await runtime.close();`,
      );
      expect((await inFolder(process.execPath, ['workflow.mjs'])).stdout.trim()).toBe('6');
    }),
  );
});
