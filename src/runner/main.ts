import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { messageOf } from '../task/errors.ts';
import type { Bootstrap } from '../task/protocol.ts';

/**
 * `node main.ts [<bootstrap file>]`: the program in the place where a task runs. Without a file, BGAGENT_BOOTSTRAP_URL is the
 * signed address of its bootstrap. Exit codes: 0 the outcome is reported (whatever it is), 1 the runner itself failed, 2 wrong
 * use, 3 the session is not wanted any more.
 */

const [file] = process.argv.slice(2);
const raw: unknown = file === undefined ? undefined : JSON.parse(readFileSync(file, 'utf8'));
// The code of the second run is compiled already. Below the work folder, where no agent can reach it.
if (typeof raw === 'object' && raw !== null && 'work_dir' in raw && typeof raw.work_dir === 'string')
  enableCompileCache(join(raw.work_dir, 'compile-cache'));

const [{ bootstrapSchema }, { runTask }, { runnerEnvironment, takeBootstrapAddress }] = await Promise.all([
  import('../task/protocol.ts'),
  import('./run.ts'),
  import('../config/runner-environment.ts'),
]);

const bootstrap = file === undefined ? await fetched() : bootstrapSchema.parse(raw);
if (bootstrap)
  process.exitCode = await runTask({
    bootstrap,
    runnerId: randomUUID(),
    environment: runnerEnvironment(),
    now: Date.now,
    clock: () => performance.now(),
    random: Math.random,
    isWanted: () => isWanted(bootstrap),
    log: (text) => void process.stderr.write(text),
    onTerminate(terminate) {
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, terminate);
    },
  });

/** Undefined, with the exit code set, when there is none. */
async function fetched(): Promise<Bootstrap | undefined> {
  const address = takeBootstrapAddress();
  if (address === undefined || !URL.canParse(address)) {
    process.stderr.write(
      'usage: runner <bootstrap file>, or BGAGENT_BOOTSTRAP_URL with its signed address\n',
    );
    process.exitCode = 2;
    return undefined;
  }
  const { BootstrapGoneError, fetchBootstrap } = await import('./bootstrap.ts');
  try {
    return await fetchBootstrap(address, {
      random: Math.random,
      note: (text) => void process.stderr.write(text),
    });
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = error instanceof BootstrapGoneError ? 3 : 1;
    return undefined;
  }
}

/** Whether to go on asking a platform that doesn't answer. */
async function isWanted({ not_after }: Bootstrap): Promise<boolean> {
  if (not_after !== null && Date.now() > Date.parse(not_after)) return false;
  return (
    file === undefined ||
    access(file).then(
      () => true,
      () => false,
    )
  );
}
