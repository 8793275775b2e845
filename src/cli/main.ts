import { createRequire } from 'node:module';
import { EXIT } from './exit-codes.ts';
import { runCli } from './run.ts';

/** The process behind `bgagent`: signals, streams and exit code. Everything else is in run.ts. */

/** Who asks again after this doesn't want to wait for a clean end. (One Ctrl-C can arrive twice: from the terminal and from npm.) */
const INSIST_AFTER_MS = 1_000;

const interrupt = new AbortController();
let interruptedAt = 0;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interrupt.signal.aborted) {
      if (Date.now() - interruptedAt > INSIST_AFTER_MS) process.exit(EXIT.interrupted);
      return;
    }
    interruptedAt = Date.now();
    interrupt.abort(new DOMException(`stopped by ${signal}`, 'AbortError'));
  });
}

// `bgagent logs … | head`: the reader has seen enough.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    interrupt.abort(new DOMException('nobody reads any more', 'AbortError'));
  });
}

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

process.exitCode = await runCli({
  args: process.argv.slice(2),
  environment: async () => (await import('../config/environment.ts')).readEnvironment(),
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
  now: Date.now,
  version,
});
