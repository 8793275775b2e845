import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { lstat, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { detectSandbox, type SandboxAvailability } from '../runner/sandbox/detect.ts';
import { messageOf } from '../task/errors.ts';

/** What this machine and its data folder look like, for `bgagent doctor`. Only looks; changes nothing. */
export interface Inspection {
  git: { version: string } | { problem: string };
  sandbox: SandboxAvailability;
  /** Why the kernel doesn't let the sandbox run, although it is installed; null when it does or wasn't tried. */
  sandboxProblem: string | null;
  /** null before the first `bgagent up`. */
  database: { versions: Record<string, number>; bytes: number } | null;
  /** Bytes below the data folder, by what they are for. */
  disk: { mirrors: number; workspaces: number; sessions: number; blobs: number };
  /** Bytes that are free where the data folder is, or will be. */
  freeBytes: number;
}

const run = promisify(execFile);
const TRY_MS = 5_000;

export async function inspectMachine({
  dataDir,
  environment,
}: {
  dataDir: string;
  /** What programs started here inherit: PATH and the like. */
  environment: Readonly<Record<string, string>>;
}): Promise<Inspection> {
  const [git, sandbox, mirrors, workspaces, sessions, blobs, freeBytes] = await Promise.all([
    gitVersion(environment),
    detectSandbox(environment),
    sizeOf(join(dataDir, 'work', 'mirrors')),
    sizeOf(join(dataDir, 'work', 'runs')),
    sizeOf(join(dataDir, 'sessions')),
    sizeOf(join(dataDir, 'blobs')),
    freeAt(dataDir),
  ]);
  return {
    git,
    sandbox,
    sandboxProblem: sandbox.available ? await trySandbox(environment) : null,
    database: await readDatabase(join(dataDir, 'bgagent.db')),
    disk: { mirrors, workspaces, sessions, blobs },
    freeBytes,
  };
}

async function gitVersion(env: Readonly<Record<string, string>>): Promise<Inspection['git']> {
  try {
    const { stdout } = await run('git', ['--version'], { env, timeout: TRY_MS });
    return { version: /\d+(\.\d+)+/.exec(stdout)?.[0] ?? stdout.trim() };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** Namespaces may be switched off, above all inside containers: the programs are there, and refuse. */
async function trySandbox(env: Readonly<Record<string, string>>): Promise<string | null> {
  if (process.platform !== 'linux') return null;
  const args = [
    '--unshare-user',
    '--unshare-pid',
    '--unshare-net',
    '--ro-bind',
    '/',
    '/',
    '--proc',
    '/proc',
    'true',
  ];
  try {
    await run('bwrap', args, { env, timeout: TRY_MS });
    return null;
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    return said || messageOf(error);
  }
}

async function readDatabase(file: string): Promise<Inspection['database']> {
  if (!existsSync(file)) return null;
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = db.prepare('SELECT area, max(version) AS version FROM schema_version GROUP BY area').all();
    return {
      versions: Object.fromEntries(rows.map(({ area, version }) => [String(area), Number(version)])),
      bytes: (await sizeOf(file)) + (await sizeOf(`${file}-wal`)),
    };
  } finally {
    db.close();
  }
}

/** Of a file, or of everything below a folder; what is missing, or goes while we look, counts nothing. */
async function sizeOf(path: string): Promise<number> {
  try {
    const info = await lstat(path);
    if (!info.isDirectory()) return info.blocks * 512;
    let total = 0;
    for (const name of await readdir(path)) total += await sizeOf(join(path, name));
    return total;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

async function freeAt(path: string): Promise<number> {
  const existing = existsSync(path) ? path : join(path, '..');
  if (!existsSync(existing)) return freeAt(existing);
  const { bavail, bsize } = await statfs(existing);
  return bavail * bsize;
}
