import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DurableContext } from '@aws/durable-execution-sdk-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createSqliteRuntime } from './runtime.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bgagent-runtime-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const double = (event: { n: number }, ctx: DurableContext) => ctx.step('double', async () => event.n * 2);

it('takes calls before its file is open', async () => {
  const runtime = createSqliteRuntime({ file: join(folder, 'runtime.db') });
  runtime.register('double', double);
  await runtime.start('double', { n: 21 }, { id: 'first' });
  expect(await runtime.result('first')).toBe(42);
  await runtime.close();
});

it('tells whoever awaits it, and whoever calls, that its file can not be opened', async () => {
  const holder = await createSqliteRuntime({ file: join(folder, 'runtime.db') });
  const second = createSqliteRuntime({ file: join(folder, 'runtime.db') });
  second.register('double', double);
  await expect(second).rejects.toMatchObject({ code: 'DATABASE_LOCKED' });
  await expect(second.start('double', { n: 1 }, { id: 'first' })).rejects.toMatchObject({
    code: 'DATABASE_LOCKED',
  });
  await second.close();
  await holder.close();
});
