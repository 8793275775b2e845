import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { runtimeContract } from '../../../test/contracts/runtime.contract.ts';
import { createSqliteRuntime } from './runtime.ts';

const folder = mkdtempSync(join(tmpdir(), 'bgagent-runtime-'));
afterAll(() => rmSync(folder, { recursive: true }));

runtimeContract(async () => createSqliteRuntime({ file: join(folder, 'runtime.db') }));
