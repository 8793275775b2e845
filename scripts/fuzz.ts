import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startTestPlatform } from '../test/fixtures/api/platform.ts';
import { aTask } from '../test/fixtures/task.ts';

/**
 * `npm run test:fuzz`: schemathesis makes requests from the API's own OpenAPI document, right and wrong ones, and looks whether
 * the answers are what the document says, and never a 5xx. The same seed makes the same requests. Needs Python with pip once, for
 * a virtual environment in `.cache/venv`; without them it says so, which is a failure only where CI is set.
 */

const SCHEMATHESIS = 'schemathesis==4.32.5';
const VENV = join(import.meta.dirname, '../.cache/venv');
const PROGRAM = join(VENV, 'bin/schemathesis');
const SEED = '20300101';
const EXAMPLES = '10';
const INSTALL_TRIES = 3;

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'ignored_auth',
];

process.exitCode = await fuzz();

async function fuzz(): Promise<number> {
  const problem = await prepare();
  if (problem !== undefined) {
    process.stdout.write(`skipped: the API is not fuzzed, ${problem}\n`);
    return process.env.CI ? 1 : 0;
  }
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-fuzz-'));
  const platform = await startTestPlatform({
    settings: { submit_rate_per_min: 1_000_000, nudge_rate_per_min: 1_000_000 },
    cancelWaitMs: 1,
  });
  try {
    const { tasks } = platform.deps.stores;
    const { task } = await tasks.create(aTask({ task_id: platform.deps.newId(), status: 'RUNNING' }), []);
    const config = join(folder, 'schemathesis.toml');
    // Keys are not for command lines, where every process can read them.
    await writeFile(
      config,
      `headers = { "X-API-Key" = "${await platform.key('root', ['admin'])}" }
[[operations]]
include-path-regex = "^/v1/runner/"
headers = { Authorization = "Bearer ${await platform.token(task)}" }
parameters = { "path.task_id" = "${task.task_id}" }
`,
      { mode: 0o600 },
    );
    return await run(
      PROGRAM,
      [
        '--no-color',
        '--config-file',
        config,
        'run',
        `${platform.url}/openapi.json`,
        `--seed=${SEED}`,
        `--max-examples=${EXAMPLES}`,
        `--checks=${CHECKS.join(',')}`,
        '--phases=coverage,fuzzing,stateful',
        // It never ends while its task goes on.
        '--exclude-path-regex=/stream$',
        '--suppress-health-check=all',
        '--warnings=off',
        '--generation-database=none',
      ],
      folder,
    );
  } finally {
    await platform.close();
    await rm(folder, { recursive: true });
  }
}

/** Makes the virtual environment when it isn't there. Returns what is missing for that. */
async function prepare(): Promise<string | undefined> {
  if (existsSync(PROGRAM)) return undefined;
  if ((await run('python3', ['-m', 'venv', VENV])) !== 0)
    return 'there is no python3 with venv on this machine';
  for (let tried = 1; tried <= INSTALL_TRIES; tried += 1) {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', SCHEMATHESIS];
    if ((await run(join(VENV, 'bin/python'), pip)) === 0) return undefined;
    await delay(tried * 5_000);
  }
  return `${SCHEMATHESIS} could not be installed`;
}

/** Resolves to the exit code; 127 when there is no such program. `cwd`: where it may leave files. */
function run(program: string, args: readonly string[], cwd?: string): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: 'inherit', ...(cwd === undefined ? {} : { cwd }) });
    child.on('error', () => resolve(127));
    child.on('close', (code) => resolve(code ?? 1));
  });
}
