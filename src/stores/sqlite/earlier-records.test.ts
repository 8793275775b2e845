import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { aRepo } from '../../../test/fixtures/repo.ts';
import { aTask } from '../../../test/fixtures/task.ts';
import { openDatabase } from '../../sqlite/open.ts';
import { createSqliteStores, storeMigrations } from './stores.ts';

it('reads records that were written before a field was there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bgagent-earlier-'));
  const database = await openDatabase({ file: join(folder, 'bgagent.db'), migrations: [storeMigrations] });
  try {
    const { tasks, repos } = createSqliteStores({ database, now: Date.now });
    const task = aTask();
    await tasks.create(task, []);
    await repos.put(aRepo());
    await database.write([
      { sql: "UPDATE repos SET doc = json_remove(doc, '$.test_command')", params: [] },
      { sql: "UPDATE tasks SET doc = json_remove(doc, '$.verification')", params: [] },
    ]);
    expect(await repos.get('octo/hello')).toEqual(aRepo());
    expect(await tasks.get(task.task_id)).toEqual(task);
  } finally {
    await database.close();
    rmSync(folder, { recursive: true });
  }
});
