import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClock, type StoresHarness, storesContract } from '../../../test/contracts/stores.contract.ts';
import { openDatabase } from '../../sqlite/open.ts';
import { createSqliteStores, storeMigrations } from './stores.ts';

storesContract({
  name: 'sqlite',
  create: async (): Promise<StoresHarness> => {
    const folder = mkdtempSync(join(tmpdir(), 'bgagent-stores-'));
    const clock = createClock();
    const open = () => openDatabase({ file: join(folder, 'bgagent.db'), migrations: [storeMigrations] });
    let database = await open();
    const harness: StoresHarness = {
      stores: createSqliteStores({ database, now: clock.now }),
      clock,
      async reopen() {
        await database.close();
        database = await open();
        harness.stores = createSqliteStores({ database, now: clock.now });
        return harness.stores;
      },
      async plantSlot(userId, taskId) {
        await database.write([
          { sql: 'INSERT INTO slots (task_id, user_id) VALUES (?, ?)', params: [taskId, userId] },
        ]);
      },
      async close() {
        await database.close();
        rmSync(folder, { recursive: true });
      },
    };
    return harness;
  },
});
