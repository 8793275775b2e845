import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** How this machine starts a runner: the bundled file where there is one (it starts faster), else the source. */
export function runnerCommand(): [string, ...string[]] {
  const built = ['../runner.js', '../../dist/runner.js'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const inPackage = built[0];
  if (inPackage !== undefined && existsSync(inPackage)) return [process.execPath, inPackage];
  return [process.execPath, fileURLToPath(new URL('../runner/main.ts', import.meta.url))];
}
