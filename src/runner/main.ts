import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { messageOf } from '../task/errors.ts';
import type { Bootstrap } from '../task/protocol.ts';

/**
 * `node main.ts <bootstrap file>`: the program in the place where a task runs. Without a file, BGAGENT_BOOTSTRAP_URL is the
 * signed address of its bootstrap. `node main.ts serve`, without that variable, waits for a task as Amazon Bedrock AgentCore
 * brings it. Exit codes: 0 the outcome is reported (whatever it is), 1 the runner itself failed, 2 wrong use, 3 the session is
 * not wanted any more.
 */

const [argument] = process.argv.slice(2);
const file = argument === 'serve' ? undefined : argument;
const raw: unknown = file === undefined ? undefined : JSON.parse(readFileSync(file, 'utf8'));
// The code of the second run is compiled already. Below the work folder, where no agent can reach it.
if (typeof raw === 'object' && raw !== null && 'work_dir' in raw && typeof raw.work_dir === 'string')
  enableCompileCache(join(raw.work_dir, 'compile-cache'));

const [{ bootstrapSchema }, { runTask }, { runnerEnvironment, servicePort, takeBootstrapAddress }] =
  await Promise.all([
    import('../task/protocol.ts'),
    import('./run.ts'),
    import('../config/runner-environment.ts'),
  ]);

const address = takeBootstrapAddress();
if (file !== undefined) await run(bootstrapSchema.parse(raw));
else if (address !== undefined && URL.canParse(address)) await fetchAndRun(address);
else if (argument === 'serve' && address === undefined) await serve();
else {
  process.stderr.write(
    'usage: runner <bootstrap file>, or BGAGENT_BOOTSTRAP_URL with its signed address, or runner serve\n',
  );
  process.exitCode = 2;
}

async function run(bootstrap: Bootstrap): Promise<void> {
  process.exitCode = await runTask({
    bootstrap,
    runnerId: bootstrap.runner_id ?? randomUUID(),
    environment: runnerEnvironment(),
    now: Date.now,
    clock: () => performance.now(),
    random: Math.random,
    isWanted: () => isWanted(bootstrap),
    log,
    onTerminate(terminate) {
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, terminate);
    },
  });
}

async function fetchAndRun(from: string): Promise<void> {
  const { BootstrapGoneError, fetchBootstrap } = await import('./bootstrap.ts');
  let bootstrap: Bootstrap;
  try {
    bootstrap = await fetchBootstrap(from, { random: Math.random, note: log });
  } catch (error) {
    log(`${messageOf(error)}\n`);
    process.exitCode = error instanceof BootstrapGoneError ? 3 : 1;
    return;
  }
  await run(bootstrap);
}

/** The task is a process of its own, so that the service always answers. */
async function serve(): Promise<void> {
  const { createRunnerService } = await import('./service.ts');
  const service = await createRunnerService({
    host: '0.0.0.0',
    port: servicePort(),
    command: [process.execPath, process.argv[1] ?? ''],
    environment: runnerEnvironment(),
    now: Date.now,
    log,
  });
  log(`serving /ping and /invocations at ${service.url}\n`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void service.close());
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

function log(text: string): void {
  process.stderr.write(text);
}
