import { realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { resolveRepo } from '../forge/git/remote.ts';
import { BgAgentError } from '../task/errors.ts';

type Reference = ReturnType<typeof resolveRepo> & { missing?: boolean };

/** Which addresses are repositories of GitHub under their name. */
export interface GitHubNames {
  /** `octo/hello` of `https://github.com/octo/hello`; null for an address elsewhere. */
  nameInUrl(url: string): string | null;
  /** Whether the repository is worked on through GitHub, not as a plain git remote. */
  isServed(name: string, url: string): Promise<boolean>;
}

/**
 * Understands references to repositories, and refuses paths inside the platform's data: a mirror there may be of a
 * repository that the asker must not see. An address on GitHub means the same as `owner/name`. Says whether a path is there.
 * Throws VALIDATION_ERROR (field `repo`).
 */
export function createRepoResolver(
  dataDir: string,
  github?: GitHubNames,
): (reference: string) => Promise<Reference> {
  return async (reference) => {
    const resolved = resolveRepo(reference);
    if (resolved.kind === 'local' && (await isInside(dataDir, resolved.repo)))
      throw new BgAgentError(
        'VALIDATION_ERROR',
        'repo: is inside the data folder of the platform; give the repository itself',
        { field: 'repo' },
      );
    if (resolved.kind === 'local') return { ...resolved, missing: !(await isThere(resolved.repo)) };
    const name = resolved.kind === 'url' ? github?.nameInUrl(resolved.repo) : null;
    if (github && name != null && (await github.isServed(name, resolved.repo))) return resolveRepo(name);
    return resolved;
  };
}

async function isInside(folder: string, path: string): Promise<boolean> {
  const [root, target] = await Promise.all([realpath(folder), realpath(path).catch(() => path)]);
  return [target, path].some(
    (each) => each === root || each.startsWith(root + sep) || each.startsWith(folder + sep),
  );
}

/** What can't be looked at counts as there: git says best what is wrong with it. */
const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  );
