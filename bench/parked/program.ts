import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { DurableContext } from '@aws/durable-execution-sdk-js';
import { createSqliteRuntime } from '../../src/runtime/sqlite/runtime.ts';

/**
 * Parks executions on a callback each and prints this process's memory, as the system counts it, in kB: before, just after, and
 * when the runtime has given back what the work itself took (see `trimAfterMs`, which the platform uses as well).
 */
const count = Number(process.argv[2]);
const AT_ONCE = 100;
const TRIM_AFTER_MS = 1_000;

const folder = mkdtempSync(join(tmpdir(), 'bgagent-parked-'));
const runtime = await createSqliteRuntime({ file: join(folder, 'parked.db'), trimAfterMs: TRIM_AFTER_MS });
let parked = 0;
runtime.register('ask', async (input: unknown, ctx: DurableContext) => {
  await ctx.step('prepare', async () => input);
  return ctx.waitForCallback('answer', async () => void parked++, { timeout: { hours: 8 } });
});

/** Starts executions and waits until each has asked its question and has been suspended. */
async function park(from: number, to: number): Promise<void> {
  for (let next = from; next < to; next += AT_ONCE) {
    const ids = Array.from({ length: Math.min(AT_ONCE, to - next) }, (_, index) => `parked-${next + index}`);
    await Promise.all(
      ids.map((id) => runtime.start('ask', { prompt: `Update the dependencies of package ${id}` }, { id })),
    );
    while (parked < next + ids.length) await pause(1);
    await pause(30);
  }
}

const residentKb = (): number => Math.round(process.memoryUsage.rss() / 1_024);
const settle = () => pause(3 * TRIM_AFTER_MS);

// The engine has worked before, as that of a platform has: code is compiled, caches are warm.
await park(0, 2_000);
await settle();
const before = residentKb();
await park(2_000, 2_000 + count);
const peak = residentKb();
await settle();
const after = residentKb();
process.stdout.write(`${JSON.stringify({ before, peak, after })}\n`);
await runtime.close();
rmSync(folder, { recursive: true });
