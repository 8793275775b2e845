import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

/**
 * `node main.ts <bootstrap file>`: the program in the place where a task runs. Exit codes: 0 the outcome is reported (whatever
 * it is), 1 the runner itself failed, 2 wrong use, 3 the session is not wanted any more.
 */

const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: runner <bootstrap file>\n');
  process.exit(2);
}
const raw: unknown = JSON.parse(readFileSync(file, 'utf8'));
// The code of the second run is compiled already. Below the work folder, where no agent can reach it.
if (typeof raw === 'object' && raw !== null && 'work_dir' in raw && typeof raw.work_dir === 'string')
  enableCompileCache(join(raw.work_dir, 'compile-cache'));

const [{ bootstrapSchema }, { runTask }, { runnerEnvironment }] = await Promise.all([
  import('../task/protocol.ts'),
  import('./run.ts'),
  import('../config/runner-environment.ts'),
]);

const bootstrap = bootstrapSchema.parse(raw);
process.exitCode = await runTask({
  bootstrap,
  runnerId: bootstrap.runner_id ?? randomUUID(),
  environment: runnerEnvironment(),
  now: Date.now,
  clock: () => performance.now(),
  random: Math.random,
  isWanted: () =>
    access(file).then(
      () => true,
      () => false,
    ),
  log: (text) => void process.stderr.write(text),
  onTerminate(terminate) {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, terminate);
  },
});
