import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { createTables } from '../../src/stores/dynamodb/create-tables.ts';
import { createDynamoStores } from '../../src/stores/dynamodb/stores.ts';
import { tableNames } from '../../src/stores/dynamodb/tables.ts';
import { createClock } from '../contracts/stores.contract.ts';
import { raceForLeases } from '../fixtures/lease-race.ts';
import { clientConfig, describeOn, dynamoDbLocal, moto, uniqueName } from './harness.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/lease-claimer.ts', import.meta.url));
const run = promisify(execFile);

for (const emulator of [moto, dynamoDbLocal])
  describeOn(emulator, 'the race for leases in DynamoDB', () => {
    it('gives no lease to two of many claimers, who also die and oversleep', async () => {
      const client = new DynamoDBClient(clientConfig(emulator));
      const names = tableNames(uniqueName('race'));
      await createTables(client, names);
      const clock = createClock();
      const { leases } = createDynamoStores({ client, tableNames: names, now: clock.now });
      const race = await raceForLeases({
        leases,
        clock,
        claimers: 16,
        rounds: 12,
        random: Math.random,
        names: ['i-0', 'i-1', 'i-2', 'i-3'],
      });
      expect(race).toMatchObject({ doubles: [], left: [] });
      expect(race.claims).toBeGreaterThan(16);
      client.destroy();
    });

    it('gives no lease to two processes', async () => {
      const client = new DynamoDBClient(clientConfig(emulator));
      const prefix = uniqueName('processes');
      await createTables(client, tableNames(prefix));
      const folder = mkdtempSync(join(tmpdir(), 'bgagent-race-'));
      try {
        const args = [PROGRAM, emulator.endpoint ?? '', prefix, folder, '8'];
        const answers = await Promise.all([1, 2, 3].map(() => run(process.execPath, args)));
        expect(answers.map(({ stdout }) => stdout.trim())).toEqual(['0', '0', '0']);
      } finally {
        rmSync(folder, { recursive: true });
        client.destroy();
      }
    });
  });
