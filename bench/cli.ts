import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startUp } from '../test/e2e/platform.ts';
import { type Bench, type Figure, figureOf, percentile } from './figure.ts';

/** How long a person waits for the command line, as it is installed: built, started as a process of its own. */
export const benches: Bench[] = [{ name: 'cli_ms', run: measure }];

const ROUNDS = 40;
const WARM_UP = 5;

const root = fileURLToPath(new URL('..', import.meta.url));
const builtCli = join(root, 'dist/cli/main.js');
const run = promisify(execFile);

async function measure(): Promise<Figure[]> {
  if (!existsSync(builtCli))
    execFileSync(process.execPath, [join(root, 'scripts/build.ts')], { stdio: 'ignore' });
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-bench-cli-'));
  const dataDir = join(folder, 'data');
  const platform = await startUp(dataDir);
  try {
    const bare = await samples(['-e', '0']);
    const compared = { to: 'node -e 0', value: percentile(bare, 50) };
    return [
      figureOf('cli_ms', 'ms', await samples([builtCli, '--help']), compared),
      figureOf('cli_ms.list', 'ms', await samples([builtCli, 'list', '--data-dir', dataDir]), compared),
      figureOf('node_start_ms', 'ms', bare),
    ];
  } finally {
    await platform.end('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  }
}

async function samples(args: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    const start = performance.now();
    await run(process.execPath, args, { env: { PATH: process.env.PATH, HOME: tmpdir() } });
    if (round >= 0) times.push(performance.now() - start);
  }
  return times;
}
