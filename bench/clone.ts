import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createGit } from '../src/forge/git/git.ts';
import { runFolders } from '../src/runner/folders.ts';
import { layOutMirror } from '../src/runner/mirror.ts';
import { createWorkspace, layOutFolders } from '../src/runner/workspace.ts';
import { type GitServer, startGitServer } from '../test/fixtures/git-server.ts';
import { aPayload } from '../test/fixtures/payload.ts';
import { type Bench, type Figure, figureOf, round } from './figure.ts';

/** A repository whose history is much larger than its files, as old ones are. */
const COMMITS = 60;
const FILES = 100;
/** Bytes of random data, which no packing makes smaller, that each commit puts in place of the one before. */
const GROWTH = 2_000_000;
const ROUNDS = 5;

export const benches: Bench[] = [{ name: 'clone_ratio', run: measureClones }];

/** The workspace of a second task, over HTTP, on a base that has moved on since the first; beside a plain `git clone`. */
async function measureClones(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-bench-'));
  const repo = join(folder, 'big.git');
  const server = await startGitServer(folder);
  try {
    execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', repo]);
    for (let n = 0; n < COMMITS; n += 1) commit(repo, n);
    execFileSync('git', ['-C', repo, 'repack', '-adq']);

    const plain: number[] = [];
    for (let n = 0; n < ROUNDS; n += 1) plain.push(await plainClone(server, join(folder, `plain-${n}`)));
    await workspace(server, folder, head(repo), 0);
    const same: number[] = [];
    const moved: number[] = [];
    for (let n = 1; n <= ROUNDS; n += 1) {
      same.push(await workspace(server, folder, head(repo), 2 * n));
      commit(repo, COMMITS + n, 1_000);
      moved.push(await workspace(server, folder, head(repo), 2 * n + 1));
    }
    const plainFigure = figureOf('clone_ratio.plain_clone_ms', 'ms', plain);
    const movedFigure = figureOf('clone_ratio.second_task_ms', 'ms', moved, {
      to: 'git clone',
      value: plainFigure.value,
    });
    return [
      {
        name: 'clone_ratio',
        value: round(plainFigure.value / movedFigure.value),
        unit: 'x',
        p50: null,
        p99: null,
        n: ROUNDS,
        ratio_to: 'git clone',
        ratio: round(plainFigure.value / movedFigure.value),
      },
      movedFigure,
      figureOf('clone_ratio.same_commit_ms', 'ms', same, { to: 'git clone', value: plainFigure.value }),
      plainFigure,
    ];
  } finally {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Adds a commit to `main`: some files changed, and the large one replaced. */
function commit(repo: string, n: number, growth = GROWTH): void {
  const parts: (string | Buffer)[] = [
    'commit refs/heads/main\n',
    `committer octo <octo@example.com> ${1_700_000_000 + n} +0000\n`,
    `data 6\nround\n\n`,
    n === 0 ? '' : 'from refs/heads/main^0\n',
  ];
  for (let file = 0; file < FILES; file += 1) {
    if (n > 0 && file % 40 !== n % 40) continue;
    const text = `file ${file} as of commit ${n}\n`.repeat(40);
    parts.push(
      `M 100644 inline src/part-${file % 20}/file-${file}.txt\ndata ${Buffer.byteLength(text)}\n${text}\n`,
    );
  }
  parts.push(`M 100644 inline large.bin\ndata ${growth}\n`, randomBytes(growth), '\n');
  const input = Buffer.concat(parts.map((part) => Buffer.from(part)));
  execFileSync('git', ['-C', repo, 'fast-import', '--quiet', '--force'], { input, maxBuffer: 1e9 });
}

const head = (repo: string): string =>
  execFileSync('git', ['-C', repo, 'rev-parse', 'main'], { encoding: 'utf8' }).trim();

/** What is cloned stays until the end: a file system that has just deleted much is slow to create. */
async function plainClone(server: GitServer, target: string): Promise<number> {
  const startedAt = performance.now();
  await promisify(execFile)('git', ['clone', '--quiet', `${server.url}/big.git`, target]);
  return performance.now() - startedAt;
}

async function workspace(server: GitServer, folder: string, sha: string, n: number): Promise<number> {
  const payload = aPayload({ url: `${server.url}/big.git`, sha });
  const folders = runFolders(join(folder, 'work'), { taskId: payload.task_id, attempt: n, cacheKey: 'big' });
  const input = {
    git: createGit({ environment: { PATH: process.env.PATH } }),
    mirror: folders.mirror,
    repo: payload.repo,
    timeoutMs: 600_000,
    signal: new AbortController().signal,
    credentials: async () => null,
    note: () => undefined,
  };
  const startedAt = performance.now();
  await Promise.all([layOutFolders(folders), layOutMirror(input)]);
  await createWorkspace({ ...input, folders });
  return performance.now() - startedAt;
}
