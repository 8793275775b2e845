import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Forge } from '../../src/forge/forge.ts';
import type { ErrorCode } from '../../src/task/errors.ts';

/** What the suite needs of a forge: repositories in several states, as it names them. */
export interface ForgeHarness {
  forge: Forge;
  /** A repository with one commit on its default branch. */
  repo(): Promise<{ repo: string; defaultBranch: string; head: string }>;
  /** One without any commit. */
  emptyRepo(): Promise<string>;
  /** One that is not there. */
  missingRepo(): Promise<string>;
  /** One that may be read but not pushed to; null when that can't be made here. */
  readOnlyRepo(): Promise<string | null>;
  /** Makes the branch point to the repository's head. */
  createBranch(repo: string, branch: string): Promise<void>;
  /** Why it has no issues and pull requests; null when it has them, and passes their suite, too. */
  withoutCollaboration: string | null;
  /** What it says of a repository that is not there, and of one that may not be pushed to. Default: REPO_UNREACHABLE, PUSH_REJECTED. */
  codes?: { missing: ErrorCode; readOnly: ErrorCode };
  close(): Promise<void>;
}

/** Every forge must pass this. */
export function forgeContract(name: string, create: () => Promise<ForgeHarness>): void {
  describe(`forge: ${name}`, () => {
    let harness: ForgeHarness;
    beforeEach(async () => {
      harness = await create();
    });
    afterEach(async () => {
      await harness.close();
    });

    it('finds where a task starts from', async () => {
      const { repo, defaultBranch, head } = await harness.repo();
      expect(await harness.forge.preflight(repo)).toEqual({
        url: expect.any(String),
        baseBranch: defaultBranch,
        baseSha: head,
        pullRequest: null,
        warnings: [],
      });
    });

    it('has issues and pull requests, or says that it has none', async ({ annotate }) => {
      const { withoutCollaboration, forge } = harness;
      expect(forge.collaboration === null).toBe(withoutCollaboration !== null);
      if (withoutCollaboration === null) return;
      expect(withoutCollaboration).not.toBe('');
      await annotate(withoutCollaboration);
      const { repo } = await harness.repo();
      await expect(forge.preflight(repo, { prNumber: 1 })).rejects.toMatchObject({
        code: 'PR_NOT_FOUND_OR_CLOSED',
      });
    });

    it('says of an empty repository that it is empty', async () => {
      await expect(harness.forge.preflight(await harness.emptyRepo())).rejects.toMatchObject({
        code: 'REPO_EMPTY',
      });
    });

    it('says of a repository that is not there that it can not be reached', async () => {
      const repo = await harness.missingRepo();
      const code = harness.codes?.missing ?? 'REPO_UNREACHABLE';
      await expect(harness.forge.preflight(repo)).rejects.toMatchObject({ code });
      await expect(harness.forge.branchHead(repo, 'main')).rejects.toMatchObject({ code });
    });

    it('refuses a repository that can not be pushed to before any work is done', async ({ skip }) => {
      const repo = await harness.readOnlyRepo();
      if (repo === null) return skip('a repository that the user may not write can not be made here');
      await expect(harness.forge.preflight(repo)).rejects.toMatchObject({
        code: harness.codes?.readOnly ?? 'PUSH_REJECTED',
      });
      expect(await harness.forge.preflight(repo, { push: false })).toMatchObject({ pullRequest: null });
    });

    it('knows the head of a branch, and that a branch is not there', async () => {
      const { repo, head } = await harness.repo();
      await harness.createBranch(repo, 'bgagent/x/y');
      expect(await harness.forge.branchHead(repo, 'bgagent/x/y')).toBe(head);
      expect(await harness.forge.branchHead(repo, 'bgagent/x')).toBeNull();
      expect(await harness.forge.branchHead(repo, 'y')).toBeNull();
    });

    it.each(['--upload-pack=x', '../x', 'a\nb', 'refs/heads/main'])(
      'refuses the branch name %j',
      async (branch) => {
        const { repo } = await harness.repo();
        await expect(harness.forge.branchHead(repo, branch)).rejects.toMatchObject({
          code: 'BRANCH_INVALID',
        });
      },
    );

    it('gives out credentials with their end, or none', async () => {
      const { repo } = await harness.repo();
      const credentials = await harness.forge.credentials(repo);
      if (credentials !== null)
        expect(credentials).toEqual({
          username: expect.any(String),
          password: expect.any(String),
          expiresAt: credentials.expiresAt === null ? null : expect.any(String),
        });
    });

    it('links a comparison on the web, or not at all', async () => {
      const { repo } = await harness.repo();
      const link = harness.forge.compareUrl(repo, 'main', 'bgagent/x/y');
      expect(link ?? 'https://none').toMatch(/^https?:\/\//);
    });
  });
}
