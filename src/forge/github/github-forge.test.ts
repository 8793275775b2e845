import { collaborationContract } from '../../../test/contracts/collaboration.contract.ts';
import { forgeContract } from '../../../test/contracts/forge.contract.ts';
import { startGitHub } from '../../../test/fakes/github/github.ts';
import { git } from '../../../test/fixtures/git-repo.ts';
import { githubRoom, roomClock } from '../../../test/fixtures/github.ts';

for (const as of ['app', 'token'] as const) {
  forgeContract(`github, with ${as === 'app' ? 'an App' : 'a token'}`, async () => {
    const clock = roomClock();
    const github = await startGitHub({ now: clock.now });
    const { forge } = githubRoom(github, { as, clock });
    return {
      forge,
      withoutCollaboration: null,
      codes: {
        missing: 'REPO_NOT_FOUND_OR_NO_ACCESS',
        readOnly: 'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
      },
      async repo() {
        const repo = github.addRepo('octo/hello');
        return { repo: 'octo/hello', defaultBranch: 'main', head: github.head(repo, 'main') ?? '' };
      },
      async emptyRepo() {
        github.addRepo('octo/empty', { empty: true });
        return 'octo/empty';
      },
      missingRepo: async () => 'octo/nowhere',
      async readOnlyRepo() {
        github.addRepo('mona/hello', { collaborators: { octo: 'read' } });
        const app = github.world.apps[0];
        if (app)
          github.install(app, {
            owner: 'mona',
            permissions: { contents: 'read', pull_requests: 'write', issues: 'write' },
          });
        return 'mona/hello';
      },
      async createBranch(repo, branch) {
        git(github.repo(repo).gitDir, 'branch', branch, 'main');
      },
      close: () => github.close(),
    };
  });

  collaborationContract(`github, with ${as === 'app' ? 'an App' : 'a token'}`, async () => {
    const clock = roomClock();
    const github = await startGitHub({ now: clock.now });
    const { forge } = githubRoom(github, { as, clock });
    const issueOf = (repo: string, number: number) => {
      const issue = github.repo(repo).issues.get(number);
      if (!issue) throw new Error(`no issue ${number}`);
      return issue;
    };
    return {
      forge,
      async repo() {
        github.addRepo('octo/hello', { collaborators: { mona: 'write' } });
        return 'octo/hello';
      },
      issue: async (repo, given) => github.addIssue(github.repo(repo), given).number,
      say: async (repo, number, author, body) => github.comment(issueOf(repo, number), author, body),
      branch: async (repo, branch, files) => github.commit(github.repo(repo), branch, files),
      pulls: async (repo, branch) =>
        [...github.repo(repo).issues.values()].flatMap(({ number, body, pull }) =>
          pull?.headBranch === branch ? [{ number, body, draft: pull.draft }] : [],
        ),
      async written(repo, number) {
        const { comments, pull } = issueOf(repo, number);
        return {
          comments: comments.map(({ body }) => body),
          reviews: pull?.reviews.map(({ body }) => body) ?? [],
          inline: pull?.threads.flatMap((thread) => thread.comments.map(({ body }) => body)) ?? [],
        };
      },
      close: () => github.close(),
    };
  });
}
