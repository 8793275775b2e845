import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processIdentity } from '../processes/process.ts';
import { withLock } from './lock.ts';

describe('the lock of a mirror', () => {
  let folder: string;
  let file: string;
  const { signal } = new AbortController();
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bgagent-lock-'));
    file = join(folder, 'mirror.lock');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is gone afterwards, also after a failure', async () => {
    expect(await withLock(file, signal, async () => existsSync(file))).toBe(true);
    await expect(withLock(file, signal, async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('waits for a living holder, and gives up when it is told to', async () => {
    const holder = spawn('sleep', ['60'], { stdio: 'ignore' });
    await once(holder, 'spawn');
    await writeFile(file, JSON.stringify(processIdentity(holder.pid ?? 0)));
    const patience = new AbortController();
    const waiting = withLock(file, patience.signal, async () => 'got it');
    await delay(100);
    patience.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    const second = withLock(file, signal, async () => 'got it');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(await second).toBe('got it');
  });

  it('of a process that died is taken over, as is one of a pid that was used again', async () => {
    await writeFile(file, JSON.stringify({ pid: process.pid, startTime: '1' }));
    expect(await withLock(file, signal, async () => 'got it')).toBe('got it');
    await writeFile(file, 'half a li');
    expect(await withLock(file, signal, async () => 'got it')).toBe('got it');
  });

  it('lets one process in at a time', async () => {
    const script = `
      import { appendFileSync } from 'node:fs';
      import { setTimeout as delay } from 'node:timers/promises';
      import { withLock } from ${JSON.stringify(new URL('./lock.ts', import.meta.url).href)};
      const { signal } = new AbortController();
      for (let n = 0; n < 15; n += 1)
        await withLock(${JSON.stringify(file)}, signal, async () => {
          appendFileSync(${JSON.stringify(join(folder, 'log'))}, '<');
          await delay(1);
          appendFileSync(${JSON.stringify(join(folder, 'log'))}, '>');
        });`;
    const children = [1, 2, 3].map(() =>
      spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' }),
    );
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0]);
    expect(await readFile(join(folder, 'log'), 'utf8')).toBe('<>'.repeat(45));
  });
});
