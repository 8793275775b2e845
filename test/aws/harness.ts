import { randomUUID } from 'node:crypto';
import { describe } from 'vitest';

/** Where the emulators that `npm run test:aws` started are, for tests in `test/aws/` and `*.aws.test.ts`. */

export interface Emulator {
  name: string;
  /** Where it listens; undefined when it can't be had here. */
  endpoint: string | undefined;
  /** Why it can't be had. */
  missing: string;
}

const emulator = (name: string, variable: string): Emulator => ({
  name,
  endpoint: process.env[variable],
  missing: process.env[`${variable}_MISSING`] ?? 'not started: run `npm run test:aws`',
});

/** EC2, Auto Scaling, S3, SSM, ECS, Secrets Manager, STS, DynamoDB. */
export const moto = emulator('moto', 'BGAGENT_TEST_MOTO');
/** AWS's own; takes transactions of at most 10 items, and no empty texts. */
export const dynamoDbLocal = emulator('DynamoDB Local', 'BGAGENT_TEST_DYNAMODB_LOCAL');

/** What every client of the SDK takes; `region` is a world of its own in moto. */
export function clientConfig({ endpoint, name, missing }: Emulator): {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
} {
  if (endpoint === undefined) throw new Error(`${name}: ${missing}`);
  return {
    endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'example' },
  };
}

/** `describe`, or a skip that says why. With BGAGENT_REQUIRE_AWS=1 it always runs, so what is missing fails. */
export function describeOn(on: Emulator, name: string, suite: () => void): void {
  if (on.endpoint !== undefined || process.env.BGAGENT_REQUIRE_AWS === '1') {
    describe(`${name} (${on.name})`, suite);
    return;
  }
  console.warn(`skipped, for want of ${on.name} (${on.missing}): ${name}`);
  describe.skip(`${name} (skipped: no ${on.name})`, suite);
}

/** A name that no other test uses, so that tests may share an emulator. */
export const uniqueName = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 18)}`;
