// Plain old JavaScript on purpose: this must run on any Node, to find the right one or to say plainly what is missing.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED = 24;

/** What was compiled (and stripped of its types) once is kept: the next start is faster and needs less memory. */
const CACHE = fileURLToPath(new URL('../node_modules/.cache/bgagent', import.meta.url));

/** Loaded first in the child: it ends with its parent, even when that is killed. */
const TIED = new URL('./tied-to-parent.js', import.meta.url).href;

/**
 * Runs a script file on Node 24 or newer: in this process when it is one, else on the Node that `npm ci` brought to a
 * clone (npm 10 doesn't always link it into node_modules/.bin, so it is looked up where it lies).
 */
export async function runPinned(file, args) {
  endWithNpm();
  if (Number(process.versions.node.split('.')[0]) >= NEEDED) {
    process.argv = [process.execPath, file, ...args];
    module.enableCompileCache(CACHE);
    await import(pathToFileURL(file).href);
    return;
  }
  const pinned = fileURLToPath(
    new URL(`../node_modules/node-${process.platform}-${process.arch}/bin/node`, import.meta.url),
  );
  if (!existsSync(pinned)) {
    process.stderr.write(
      `bgagent needs Node ${NEEDED} or newer; this is Node ${process.versions.node}.\n` +
        `Install Node ${NEEDED} (on Linux, x64 and arm64, \`npm ci\` in a clone brings it along).\n`,
    );
    process.exit(2);
  }
  const child = spawn(pinned, ['--import', TIED, file, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: {
      NODE_COMPILE_CACHE: CACHE,
      ...process.env,
      PATH: `${dirname(pinned)}${delimiter}${process.env.PATH || ''}`,
    },
  });
  // The child decides how to end. (From a terminal Ctrl-C reaches it twice, which counts as once.)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code === null ? 1 : code);
  });
}

/** npm that was killed, or that keeps a signal to itself, must not leave behind what it started. */
function endWithNpm() {
  if (!process.env.npm_lifecycle_event) return;
  const npm = process.ppid;
  setInterval(() => {
    if (process.ppid !== npm) process.kill(process.pid, 'SIGTERM');
  }, 250).unref();
}
