import { join } from 'node:path';

/** Where things lie below the runner's work folder. The agent sees `work`, `home` and `tmp` of its own run, nothing else. */
export interface RunFolders {
  /** Everything of this run; removed with it. */
  root: string;
  /** The work tree. */
  work: string;
  /** git's own folder, out of the agent's reach. */
  git: string;
  /** The agent's home: empty, its own. */
  home: string;
  tmp: string;
  /** What runner and agent tell each other: prompt and summary. */
  exchange: string;
  /** The mirror of the repository, shared by all runs on it. */
  mirror: string;
}

export function runFolders(
  workDir: string,
  run: { taskId: string; attempt: number; cacheKey: string },
): RunFolders {
  const root = join(workDir, 'runs', `${run.taskId}-${run.attempt}`);
  return {
    root,
    work: join(root, 'work'),
    git: join(root, 'git'),
    home: join(root, 'home'),
    tmp: join(root, 'tmp'),
    exchange: join(root, 'exchange'),
    mirror: join(workDir, 'mirrors', `${run.cacheKey}.git`),
  };
}
