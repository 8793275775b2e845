import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DurableContext, StepSemantics } from '@aws/durable-execution-sdk-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DurableRuntime } from '../runtime.ts';
import { createSqliteRuntime, type SqliteRuntimeOptions } from './runtime.ts';

const PROGRAM = new URL('../../../test/fixtures/runtime-program.ts', import.meta.url).pathname;

describe('an execution', () => {
  let folder: string;
  let open: DurableRuntime[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bgagent-restart-'));
    open = [];
  });
  afterEach(async () => {
    for (const runtime of open) await runtime.close();
    rmSync(folder, { recursive: true });
  });

  async function createRuntime(options: SqliteRuntimeOptions = {}): Promise<DurableRuntime> {
    const runtime = await createSqliteRuntime({ file: join(folder, 'runtime.db'), ...options });
    open.push(runtime);
    return runtime;
  }

  /** Runs the program until it ends, or kills it at a moment after it is ready; resolves with what it printed last. */
  async function run(executions: number, killAfterMs?: number): Promise<string> {
    const args = [PROGRAM, join(folder, 'runtime.db'), join(folder, 'diary'), String(executions)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    let armed = killAfterMs === undefined;
    child.stdout.on('data', (chunk) => {
      said += chunk;
      if (!armed && said.includes('ready')) {
        armed = true;
        setTimeout(() => child.kill('SIGKILL'), killAfterMs);
      }
    });
    await once(child, 'close');
    return said.trim().split('\n').at(-1) ?? '';
  }

  it('survives kill -9 at any instant: every step counts once, and every execution ends once', async () => {
    // New ones at each start, so that every kill meets executions at all their stages.
    const executions = 32;
    for (let kills = 1; kills <= 8; kills++) await run(4 * kills, Math.random() * 400);
    const results = JSON.parse(await run(executions)) as Record<string, unknown>[];

    const names = Array.from({ length: executions }, (_, index) => `work-${index}`);
    expect(results).toEqual(
      names.map((name) => ({
        name,
        a: 1,
        called: expect.stringMatching(/^(back|too late)$/),
        mapped: [2, 4, 6],
        invoked: 2,
        z: 26,
      })),
    );
    // What the handler went on from was kept: its body never runs again.
    const did = new Set<string>();
    const again: string[] = [];
    for (const line of readFileSync(join(folder, 'diary'), 'utf8').split('\n')) {
      const [verb, name, step] = line.split(' ');
      if (verb === 'did') did.add(`${name} ${step}`);
      else if (verb === 'does' && did.has(`${name} ${step}`)) again.push(line);
    }
    expect(again).toEqual([]);

    const runtime = await createRuntime();
    for (const id of names) {
      const events = await runtime.history(id);
      expect(events.map(({ EventId }) => EventId)).toEqual(events.map((_, index) => index + 1));
      const of = (type: string) =>
        events.filter(({ EventType }) => EventType === type).map(({ Name }) => Name);
      expect(of('ExecutionSucceeded')).toHaveLength(1);
      expect(events.at(-1)?.EventType).toBe('ExecutionSucceeded');
      expect(of('StepSucceeded').filter(Boolean).toSorted()).toEqual(['a', 'map 1', 'map 2', 'map 3', 'z']);
      expect(of('ChainedInvokeSucceeded')).toEqual(['invoke']);
    }
  }, 60_000);

  const asking = (asked: (callbackId: string) => void) => async (_: unknown, ctx: DurableContext) =>
    ctx.waitForCallback('answer', async (id) => asked(id), { timeout: { minutes: 5 } });

  it('that is parked on a callback is completed after a restart', async () => {
    const before = await createRuntime();
    const callbackId = await new Promise<string>((resolve) => {
      before.register('ask', asking(resolve));
      void before.start('ask', {}, { id: 'one' });
    });
    await before.close();

    const after = await createRuntime();
    after.register(
      'ask',
      asking(() => undefined),
    );
    await after.completeCallback(callbackId, 'yes');
    expect(await after.result('one')).toBe('yes');
    await expect(after.completeCallback(callbackId, 'no')).rejects.toMatchObject({ code: 'CALLBACK_CLOSED' });
  });

  it('whose callback is completed before its handler is registered goes on when that happens', async () => {
    const before = await createRuntime();
    const callbackId = await new Promise<string>((resolve) => {
      before.register('ask', asking(resolve));
      void before.start('ask', {}, { id: 'one' });
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await before.close();

    const after = await createRuntime();
    await after.completeCallback(callbackId, 'early');
    expect(await after.describe('one')).toMatchObject({ status: 'RUNNING' });
    after.register(
      'ask',
      asking(() => undefined),
    );
    expect(await after.result('one')).toBe('early');
  });

  it('goes on with a wait, a retry and a timeout that came due while nothing ran', async () => {
    const register = (runtime: DurableRuntime): void => {
      runtime.register('wait', async (_, ctx) => ctx.wait('nap', { seconds: 1 }));
      runtime.register('retry', async (_, ctx) =>
        ctx.step(
          'flaky',
          async ({ attempt }: { attempt?: number }) => {
            if ((attempt ?? 1) < 2) throw new Error('again');
            return attempt;
          },
          { retryStrategy: () => ({ shouldRetry: true, delay: { seconds: 1 } }) },
        ),
      );
      runtime.register('callback', async (_, ctx) => {
        const [answer] = await ctx.createCallback('answer', { timeout: { seconds: 1 } });
        return answer;
      });
      runtime.register('limited', async (_, ctx) => ctx.wait({ hours: 1 }), { timeoutSeconds: 1 });
    };
    const before = await createRuntime();
    register(before);
    const names = ['wait', 'retry', 'callback', 'limited'];
    for (const name of names) await before.start(name, {}, { id: name });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await before.close();
    await new Promise((resolve) => setTimeout(resolve, 1_000));

    const after = await createRuntime();
    register(after);
    const [wait, retry, callback, limited] = await Promise.allSettled(
      names.map((name) => after.result(name)),
    );
    expect(wait).toEqual({ status: 'fulfilled', value: undefined });
    expect(retry).toEqual({ status: 'fulfilled', value: 2 });
    expect(callback).toMatchObject({ status: 'rejected', reason: { name: 'CallbackTimeoutError' } });
    expect(limited).toMatchObject({ status: 'rejected', reason: { code: 'EXECUTION_TIMED_OUT' } });
  });

  it('runs a step at most once even if the process dies in it', async () => {
    let runs = 0;
    const once = async (_: unknown, ctx: DurableContext) =>
      ctx
        .step(
          'pay',
          () => {
            runs += 1;
            return new Promise(() => undefined);
          },
          { semantics: StepSemantics.AtMostOncePerRetry, retryStrategy: () => ({ shouldRetry: false }) },
        )
        .catch((error: unknown) => (error instanceof Error ? error.name : error));
    const before = await createRuntime();
    before.register('pay', once);
    await before.start('pay', {}, { id: 'one' });
    while (runs === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await before.close();

    const after = await createRuntime();
    after.register('pay', once);
    expect(await after.result('one')).toBe('StepError');
    expect(runs).toBe(1);
  });

  it('is removed some time after its end, and no other', async () => {
    const clock = { now: Date.now() };
    const options = { now: () => clock.now, retentionDays: 1, sweepAfterMs: 0 };
    const before = await createRuntime(options);
    before.register('quick', async () => 1);
    before.register(
      'parked',
      asking(() => undefined),
    );
    await before.start('quick', {}, { id: 'old' });
    await before.start('parked', {}, { id: 'parked' });
    await before.result('old');
    clock.now += 2 * 86_400_000;
    await before.start('quick', {}, { id: 'new' });
    await before.result('new');
    await before.close();

    const after = await createRuntime(options);
    await expect
      .poll(() =>
        after.describe('old').then(
          () => 'there',
          (error) => error.code,
        ),
      )
      .toBe('EXECUTION_NOT_FOUND');
    expect(await after.describe('new')).toMatchObject({ status: 'SUCCEEDED' });
    expect(await after.describe('parked')).toMatchObject({ status: 'RUNNING' });
  });
});
