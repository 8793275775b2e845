import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forgeContract } from '../contracts/forge.contract.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { createFakeForge } from './forge.ts';

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
