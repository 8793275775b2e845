import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/sqlite/open.ts';
import { createTables } from '../../src/stores/dynamodb/create-tables.ts';
import { createDynamoInstanceStore } from '../../src/stores/dynamodb/instances.ts';
import { tableNames } from '../../src/stores/dynamodb/tables.ts';
import { createInstanceStore, instanceMigrations } from '../../src/stores/sqlite/instances.ts';
import { type RaceOptions, runRace } from './ec2-race/race.ts';
import { clientConfig, describeOn, dynamoDbLocal, uniqueName } from './harness.ts';

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

const openDynamo: RaceOptions['openStore'] = async (clock) => {
  const client = new DynamoDBClient(clientConfig(dynamoDbLocal));
  const names = tableNames(uniqueName('race'));
  await createTables(client, names);
  return {
    instances: createDynamoInstanceStore({ client, tableNames: names, now: clock.now }),
    close: async () => client.destroy(),
  };
};

const TASKS = Number(process.env.RACE_TASKS ?? 10_000);

async function race(options: Pick<RaceOptions, 'openStore' | 'tasks' | 'reuse' | 'speed'>): Promise<void> {
  const { tasks } = options;
  const result = await runRace({
    ...options,
    processes: 4,
    orchestrators: 16,
    machines: 16,
    killProcessEvery: tasks / 10,
    killMachineEvery: tasks / 40,
  });
  process.stdout.write(`race: ${JSON.stringify({ ...result, violations: result.violations.slice(0, 5) })}\n`);
  expect(result.violations).toEqual([]);
  expect(result.done).toBe(tasks);
  expect(result.claims).toBeGreaterThanOrEqual(tasks);
  expect(result.left).toMatchObject({ sessions: 0, busy: 0, wishes: 0 });
  expect(result.processesKilled).toBeGreaterThan(5);
}

const LIMIT_MS = 900_000;

describe('64 orchestrators never put two sessions on one of 16 machines', () => {
  it.each([
    { what: 'are used again', tasks: TASKS, reuse: true },
    { what: 'are replaced after each session', tasks: Math.ceil(TASKS / 25), reuse: false },
  ])(
    'that $what ($tasks tasks)',
    ({ tasks, reuse }) => race({ openStore: openSqlite, tasks, reuse }),
    LIMIT_MS,
  );
});

describeOn(dynamoDbLocal, '64 orchestrators with their records in DynamoDB', () => {
  // The emulator does a few hundred requests a second, so there are fewer, and time goes slower.
  const tasks = Math.ceil(TASKS / 25);
  it(
    `are as safe (${tasks} tasks)`,
    () => race({ openStore: openDynamo, tasks, reuse: true, speed: 25 }),
    LIMIT_MS,
  );
});
