// Plain old JavaScript on purpose: this must run on any Node, to find the right one or to say plainly what is missing.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED = 24;

/** What was compiled (and stripped of its types) once is kept: the next start is faster and needs less memory. */
const CACHE = fileURLToPath(new URL('../node_modules/.cache/bgagent', import.meta.url));

/**
 * Runs a script file on Node 24 or newer: in this process when it is one, else on the Node that `npm ci` brought to a
 * clone (npm 10 doesn't always link it into node_modules/.bin, so it is looked up where it lies).
 */
export async function runPinned(file, args) {
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
  const child = spawn(pinned, [file, ...args], {
    stdio: 'inherit',
    env: {
      NODE_COMPILE_CACHE: CACHE,
      ...process.env,
      PATH: `${dirname(pinned)}${delimiter}${process.env.PATH || ''}`,
    },
  });
  // The terminal sends Ctrl-C to both; the child decides how to end.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code === null ? 1 : code);
  });
}
