import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collaborationContract } from '../contracts/collaboration.contract.ts';
import { forgeContract } from '../contracts/forge.contract.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { createFakeForge } from './forge.ts';
import { addCommit } from './github/git.ts';

forgeContract('fake', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-forge-'));
  return {
    forge: createFakeForge({ folder }),
    async repo() {
      const head = git(bareRepo(folder), 'rev-parse', 'main');
      return { repo: 'octo/hello', defaultBranch: 'main', head };
    },
    async emptyRepo() {
      git(folder, 'init', '--quiet', '--bare', 'empty.git');
      return 'octo/empty';
    },
    missingRepo: async () => 'octo/nowhere',
    async readOnlyRepo() {
      // Root may write everywhere.
      if (process.getuid?.() === 0) return null;
      await chmod(join(bareRepo(folder), 'objects'), 0o555);
      return 'octo/hello';
    },
    async createBranch(_repo, branch) {
      git(join(folder, 'hello.git'), 'branch', branch, 'main');
    },
    withoutCollaboration: null,
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

collaborationContract('fake', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-forge-'));
  const forge = createFakeForge({ folder });
  forge.reviewable = ['mona'];
  const found = (number: number) => forge.pullRequests.get(number) ?? forge.issues.get(number);
  return {
    forge,
    async repo() {
      bareRepo(folder);
      return 'octo/hello';
    },
    async issue(_repo, given) {
      const number = forge.issues.size + 1;
      forge.issues.set(number, given);
      return number;
    },
    async say(_repo, number, author, body) {
      const thread = found(number);
      const said = { author, body, createdAt: '2026-01-01T00:00:00Z' };
      if (thread) thread.comments = [...(thread.comments ?? []), said];
    },
    branch: async (_repo, branch, files) =>
      addCommit({ gitDir: join(folder, 'hello.git') }, { branch, from: 'refs/heads/main', files }),
    pulls: async (_repo, branch) => [...forge.pullRequests.values()].filter((pull) => pull.branch === branch),
    async written(_repo, number) {
      const of = <T>(all: Map<string, T>): T[] =>
        [...all].filter(([key]) => key.startsWith(`${number} `)).map(([, value]) => value);
      const reviews = of(forge.reviews);
      return {
        comments: of(forge.comments),
        reviews: reviews.map(({ body }) => body),
        inline: reviews.flatMap(({ comments }) => comments.map(({ body }) => body)),
      };
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
});
