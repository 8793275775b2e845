import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instanceStoreContract } from '../../../test/contracts/instance-store.contract.ts';
import { createClock } from '../../../test/contracts/stores.contract.ts';
import { openDatabase } from '../../sqlite/open.ts';
import { createInstanceStore, instanceMigrations } from './instances.ts';

instanceStoreContract({
  name: 'sqlite',
  async create() {
    const folder = mkdtempSync(join(tmpdir(), 'bgagent-instances-'));
    const database = await openDatabase({
      file: join(folder, 'bgagent.db'),
      migrations: [instanceMigrations],
    });
    const clock = createClock();
    return {
      instances: createInstanceStore({ database, now: clock.now }),
      clock,
      async close() {
        await database.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
});
