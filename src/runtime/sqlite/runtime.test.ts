import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { runtimePortContract } from '../../../test/contracts/runtime.port.ts';
import { createSqliteRuntime } from './runtime.ts';

const folder = mkdtempSync(join(tmpdir(), 'bgagent-runtime-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
runtimePortContract(async () => createSqliteRuntime({ file: join(folder, `${++files}.db`) }));
