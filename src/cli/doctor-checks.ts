import type { Settings } from '../config/settings.ts';
import type { AwsInspection } from '../entry/aws-checks.ts';
import type { Inspection } from '../entry/inspect.ts';
import { BgAgentError, ERRORS, messageOf } from '../task/errors.ts';
import type { Cli } from './cli.ts';
import { findPlatform } from './connect.ts';
import { bytes, duration } from './output/time.ts';

export interface Check {
  name: string;
  state: 'ok' | 'warn' | 'fail';
  detail: string;
  /** What to do; null when there is nothing. */
  remedy: string | null;
}

const NEEDED_NODE = 24;
const NEEDED_GIT = [2, 30] as const;
const LOW_DISK_BYTES = 2_000_000_000;
const MEBIBYTE = 1_048_576;

/** What the machine has and lacks, judged. */
export function machineChecks(input: {
  inspection: Inspection;
  settings: Settings;
  dataDir: string;
  nodeVersion: string;
}): Check[] {
  const { inspection, settings, dataDir, nodeVersion } = input;
  const { disk, freeBytes } = inspection;
  return [
    check(
      'node',
      Number(nodeVersion.split('.')[0]) >= NEEDED_NODE ? 'ok' : 'fail',
      nodeVersion,
      `Install Node ${NEEDED_NODE}.`,
    ),
    gitCheck(inspection.git),
    sandboxCheck(inspection, settings),
    check(
      'data folder',
      freeBytes < LOW_DISK_BYTES ? 'warn' : 'ok',
      `${dataDir}, ${bytes(freeBytes)} free`,
      'Make room on that disk, or choose another with --data-dir.',
    ),
    check(
      'database',
      'ok',
      inspection.database
        ? `${bytes(inspection.database.bytes)}, ${versionsOf(inspection.database.versions)}; ended tasks go after ${settings.retention_days} days`
        : 'not there yet; `bgagent up` makes it',
    ),
    check(
      'mirrors',
      disk.mirrors > settings.cache_max_mb * MEBIBYTE ? 'warn' : 'ok',
      `${bytes(disk.mirrors)} of at most ${bytes(settings.cache_max_mb * MEBIBYTE)}; the least recently used go first`,
      'The next task clears them; lower cache_max_mb for less.',
    ),
    check(
      'workspaces',
      'ok',
      `${bytes(disk.workspaces)}, at most ${bytes(settings.workspace_max_mb * MEBIBYTE)} a task; removed at the end of a task` +
        (settings.failed_workspace_keep_s > 0
          ? `, of a failed one after ${duration(settings.failed_workspace_keep_s * 1_000)}`
          : ''),
    ),
    check(
      'logs, diffs',
      'ok',
      `${bytes(disk.blobs + disk.sessions)}, at most ${settings.agent_output_max_mb} MB of output a task; they go with their task`,
    ),
  ];
}

/** What the backends on AWS lack; nothing to say when there is none. */
export function awsChecks(aws: AwsInspection | null): Check[] {
  if (aws === null) return [];
  if (aws.problems.length === 0)
    return [check('aws', 'ok', `${aws.backends.join(', ')}: settings and credentials are there`)];
  return aws.problems.map(({ problem, remedy }) =>
    check('aws', 'fail', `${aws.backends.join(', ')}: ${problem}`, remedy),
  );
}

/** Whether the platform that commands would talk to answers, and takes the key. */
export async function platformCheck(cli: Cli): Promise<Check> {
  let apiUrl = '';
  try {
    ({ apiUrl } = await findPlatform(cli));
    const client = await cli.client();
    await client.checkReady();
    await client.listTasks({ limit: 1 });
    return check('platform', 'ok', `${apiUrl} answers and takes the key`);
  } catch (error) {
    if (!(error instanceof BgAgentError)) throw error;
    if (error.code === 'SERVICE_UNAVAILABLE') {
      return check('platform', 'warn', messageOf(error), `Start it: ${cli.program} up`);
    }
    return check('platform', 'fail', messageOf(error), ERRORS[error.code].remedy);
  }
}

function gitCheck(git: Inspection['git']): Check {
  if ('problem' in git) return check('git', 'fail', git.problem, 'Install git.');
  const [major = 0, minor = 0] = git.version.split('.').map(Number);
  const enough = major > NEEDED_GIT[0] || (major === NEEDED_GIT[0] && minor >= NEEDED_GIT[1]);
  return check('git', enough ? 'ok' : 'fail', git.version, `Install git ${NEEDED_GIT.join('.')} or newer.`);
}

function sandboxCheck({ sandbox, sandboxProblem }: Inspection, settings: Settings): Check {
  const problem = sandbox.available
    ? sandboxProblem
    : sandbox.missing.length > 0
      ? `not installed: ${sandbox.missing.join(', ')}`
      : 'there is none for this system';
  if (problem === null)
    return check('sandbox', 'ok', 'agents are kept to their workspace and the allowed hosts');
  if (settings.sandbox !== 'required') {
    return check(
      'sandbox',
      'warn',
      `${problem}; agents run without one (setting \`sandbox\`)`,
      'Only for code you trust.',
    );
  }
  const remedy = sandbox.available ? 'Allow user namespaces on this machine' : sandbox.remedy;
  return check(
    'sandbox',
    'fail',
    `${problem}; tasks are refused`,
    `${remedy}; or set \`sandbox\` to \`preferred\` for code you trust.`,
  );
}

const versionsOf = (versions: Record<string, number>): string =>
  Object.entries(versions)
    .map(([area, version]) => `${area} version ${version}`)
    .join(', ');

const check = (name: string, state: Check['state'], detail: string, remedy?: string): Check => ({
  name,
  state,
  detail,
  remedy: state === 'ok' ? null : (remedy ?? null),
});
