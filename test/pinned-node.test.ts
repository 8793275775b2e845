import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { ROOT } from './source-tree.ts';

/** The launcher in plain JavaScript, started by a Node that says it is an old one. */

const folder = mkdtempSync(join(tmpdir(), 'bgagent-launcher-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
cpSync(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true });
cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
writeFileSync(
  join(folder, 'script.mjs'),
  `console.log(process.execPath, process.argv.slice(2).join(' ')); process.exit(7);`,
);

const PRETEND_OLD = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}})`;

const start = (options: readonly string[], ...args: string[]) =>
  spawnSync(process.execPath, [...options, join(folder, 'bin/run.js'), join(folder, 'script.mjs'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });

describe('a Node that is too old', () => {
  it('is said at once and in plain words, where none came with the clone', () => {
    const { status, stdout, stderr } = start(['--import', PRETEND_OLD]);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^bgagent needs Node 24 or newer; this is Node 20\.1\.0\.\nInstall Node 24/);
  });

  it('hands over to the Node that npm brought, with arguments and exit code', ({ skip }) => {
    const brought = join(ROOT, `node_modules/node-${process.platform}-${process.arch}`);
    if (!existsSync(brought)) skip('npm brings no Node to this platform');
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const { status, stdout } = start(['--import', PRETEND_OLD], 'a', 'b c');
    expect(stdout).toMatch(/node_modules\/node-\S+\/bin\/node a b c\n/);
    expect(status).toBe(7);
  });
});

describe('what the launcher started', () => {
  writeFileSync(join(folder, 'waits.mjs'), 'console.log(process.pid); setInterval(() => undefined, 1_000);');

  it.for(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)('ends with it at %s', async (signal, { skip }) => {
    const brought = join(ROOT, `node_modules/node-${process.platform}-${process.arch}`);
    if (!existsSync(brought)) skip('npm brings no Node to this platform');
    if (!existsSync(join(folder, 'node_modules')))
      symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const launcher = spawn(
      process.execPath,
      ['--import', PRETEND_OLD, join(folder, 'bin/run.js'), join(folder, 'waits.mjs')],
      { stdio: ['ignore', 'pipe', 'ignore'], env: { PATH: process.env.PATH } },
    );
    const [printed] = await once(launcher.stdout, 'data');
    const pid = Number(String(printed));
    expect(pid).not.toBe(launcher.pid);
    launcher.kill(signal);
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), { timeout: 5_000 });
  });
});

it('runs the script in the same process on a Node that will do', () => {
  const { status, stdout } = start([], 'x');
  expect(stdout).toBe(`${process.execPath} x\n`);
  expect(status).toBe(7);
});
