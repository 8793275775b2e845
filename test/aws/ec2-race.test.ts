import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/sqlite/open.ts';
import { createInstanceStore, instanceMigrations } from '../../src/stores/sqlite/instances.ts';
import { type RaceOptions, runRace } from './ec2-race/race.ts';

const openSqlite: RaceOptions['openStore'] = async (clock) => {
  const folder = mkdtempSync(join(tmpdir(), 'bgagent-race-'));
  const database = await openDatabase({
    file: join(folder, 'bgagent.db'),
    migrations: [instanceMigrations],
  });
  return {
    instances: createInstanceStore({ database, now: clock.now }),
    async close() {
      await database.close();
      rmSync(folder, { recursive: true });
    },
  };
};

const TASKS = Number(process.env.RACE_TASKS ?? 10_000);

describe('64 orchestrators and 16 machines', () => {
  it.each([
    { what: 'which serve one session after the other', tasks: TASKS, reuse: true },
    { what: 'which are replaced after each session', tasks: Math.ceil(TASKS / 25), reuse: false },
  ])(
    'never have two sessions on a machine, $what ($tasks tasks)',
    async ({ tasks, reuse }) => {
      const result = await runRace({
        openStore: openSqlite,
        tasks,
        processes: 4,
        orchestrators: 16,
        machines: 16,
        reuse,
        killProcessEvery: tasks / 10,
        killMachineEvery: tasks / 40,
      });
      process.stdout.write(
        `race: ${JSON.stringify({ ...result, violations: result.violations.slice(0, 5) })}\n`,
      );
      expect(result.violations).toEqual([]);
      expect(result.done).toBe(tasks);
      expect(result.claims).toBeGreaterThanOrEqual(tasks);
      expect(result.left).toMatchObject({ sessions: 0, busy: 0, wishes: 0 });
      expect(result.processesKilled).toBeGreaterThan(5);
    },
    600_000,
  );
});
