import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Git } from '../forge/git/git.ts';
import { withLock } from './lock.ts';
import { measure } from './quota.ts';

export interface UpkeepOptions {
  git: Git;
  workDir: string;
  /** Size of all mirrors together. The least recently used go first. */
  maxBytes: number;
  now(): number;
  signal: AbortSignal;
}

/** A mirror used this lately may be about to be used, though no run shows it yet; milliseconds. */
const RECENT_MS = 10 * 60_000;
/** Each fetch adds a pack; from this many on they slow every look-up down. */
const MANY_PACKS = 40;

/**
 * Keeps the mirrors of this machine within their size, and quick. Runs while the agent works, when the runner has nothing else
 * to do; whatever it is stopped at, no mirror is left half-way.
 */
export async function keepUpMirrors({ git, workDir, maxBytes, now, signal }: UpkeepOptions): Promise<void> {
  const folder = join(workDir, 'mirrors');
  const names = await readdir(folder);
  // Left by an upkeep that was stopped.
  for (const name of names.filter((found) => found.startsWith(TRASH)))
    await rm(join(folder, name), { recursive: true, force: true });
  const inUse = await mirrorsInUse(workDir);
  const mirrors = await Promise.all(
    names
      .filter((name) => name.endsWith('.git') && !name.startsWith(TRASH))
      .map(async (name) => {
        const path = join(folder, name);
        const [{ bytes }, { mtimeMs }] = await Promise.all([measure([path], signal), stat(path)]);
        return { name, path, bytes, mtimeMs };
      }),
  );
  let total = mirrors.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { name, path, bytes, mtimeMs } of mirrors.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
    signal.throwIfAborted();
    if (total > maxBytes && !inUse.has(path) && now() - mtimeMs > RECENT_MS) {
      await removeMirror(folder, name, { now, signal });
      total -= bytes;
    } else await joinPacks(git, path, signal);
  }
}

const TRASH = '.trash-';

/** Away with it at once, so that nobody finds half a mirror; then gone. */
async function removeMirror(
  folder: string,
  name: string,
  { now, signal }: Pick<UpkeepOptions, 'now' | 'signal'>,
): Promise<void> {
  const path = join(folder, name);
  const trash = join(folder, `${TRASH}${process.pid}-${name}`);
  await withLock(`${path}.lock`, signal, async () => {
    // A run may have begun to use it while the others were measured.
    if (now() - (await stat(path)).mtimeMs > RECENT_MS) await rename(path, trash);
  });
  await rm(trash, { recursive: true, force: true });
}

/** Objects stay: another run may rely on any of them. git can't join the packs of a partial mirror without asking its remote. */
async function joinPacks(git: Git, mirror: string, signal: AbortSignal): Promise<void> {
  const files = await readdir(join(mirror, 'objects/pack'));
  if (
    files.filter((file) => file.endsWith('.pack')).length < MANY_PACKS ||
    files.some((file) => file.endsWith('.promisor'))
  )
    return;
  await withLock(`${mirror}.lock`, signal, async () => {
    await git.run(['repack', '--geometric=2', '-d', '--quiet'], {
      gitDir: mirror,
      signal,
      timeoutMs: 10 * 60_000,
    });
  });
}

/** Mirrors whose objects a run of this machine shares. */
async function mirrorsInUse(workDir: string): Promise<ReadonlySet<string>> {
  const runs = await readdir(join(workDir, 'runs'));
  const shared = await Promise.all(
    runs.map((run) =>
      readFile(join(workDir, 'runs', run, 'git/objects/info/alternates'), 'utf8').catch(() => ''),
    ),
  );
  return new Set(shared.map((objects) => objects.trim().replace(/\/objects$/, '')));
}
