import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Collaboration } from '../../src/forge/collaboration.ts';
import type { Forge } from '../../src/forge/forge.ts';

/** What the suite needs of a forge with issues and pull requests. */
export interface CollaborationHarness {
  forge: Forge;
  /** A repository with README.md on its default branch, where people may be asked for a review: `mona`, and not `stranger`. */
  repo(): Promise<string>;
  issue(repo: string, given: { title: string; body: string }): Promise<number>;
  /** What a person says in an issue or pull request. */
  say(repo: string, number: number, author: string, body: string): Promise<void>;
  /** A branch with a commit on top of the default branch that adds these files. Returns the commit. */
  branch(repo: string, branch: string, files: Record<string, string>): Promise<string>;
  /** What is there: pull requests from the branch, and comments and reviews of one. */
  pulls(repo: string, branch: string): Promise<{ number: number; body: string; draft: boolean }[]>;
  written(repo: string, number: number): Promise<{ comments: string[]; reviews: string[]; inline: string[] }>;
  close(): Promise<void>;
}

/** Every forge with issues and pull requests must pass this. */
export function collaborationContract(name: string, create: () => Promise<CollaborationHarness>): void {
  describe(`collaboration: ${name}`, () => {
    let harness: CollaborationHarness;
    let talk: Collaboration;
    let repo: string;
    beforeEach(async () => {
      harness = await create();
      repo = await harness.repo();
      if (!harness.forge.collaboration) throw new Error('this forge has no collaboration');
      talk = harness.forge.collaboration;
    });
    afterEach(() => harness.close());

    const draft = {
      taskId: '01J0000000000000000000TASK',
      branch: 'bgagent/01j/mend',
      base: 'main',
      title: 'Mend the greeting',
      body: 'It said hallo.',
      draft: false,
      labels: [],
      reviewers: [],
    };
    const files = { 'README.md': '# Hello there\n', 'more.txt': 'one\ntwo\n' };

    it('knows who may push: those who work on it, and no stranger', async () => {
      expect(await talk.mayPush(repo, 'mona')).toBe(true);
      expect(await talk.mayPush(repo, 'stranger')).toBe(false);
      expect(await talk.mayPush(repo, '../../user')).toBe(false);
    });

    it('reads an issue with what people said, oldest first', async () => {
      const number = await harness.issue(repo, { title: 'Greeting', body: 'It says hallo.' });
      await harness.say(repo, number, 'mona', 'Since yesterday.');
      await harness.say(repo, number, 'octo', 'I see it, too.');
      expect(await talk.issue(repo, number)).toMatchObject({
        number,
        title: 'Greeting',
        body: 'It says hallo.',
        state: 'open',
        comments: [
          { author: 'mona', body: 'Since yesterday.' },
          { author: 'octo', body: 'I see it, too.' },
        ],
        omittedComments: 0,
      });
    });

    it('says of numbers that are not there what they are not', async () => {
      await expect(talk.issue(repo, 4_242)).rejects.toMatchObject({ code: 'ISSUE_NOT_FOUND' });
      await expect(talk.pullRequest(repo, 4_242)).rejects.toMatchObject({ code: 'PR_NOT_FOUND_OR_CLOSED' });
      await expect(harness.forge.preflight(repo, { prNumber: 4_242 })).rejects.toMatchObject({
        code: 'PR_NOT_FOUND_OR_CLOSED',
      });
    });

    it('opens a pull request once, and brings it up to date after that', async () => {
      const head = await harness.branch(repo, draft.branch, files);
      const first = await talk.openPullRequest(repo, { ...draft, draft: true });
      expect(first).toMatchObject({ created: true, state: 'open', draft: true, headSha: head, warnings: [] });
      const again = await talk.openPullRequest(repo, { ...draft, body: 'It said hallo. Now it greets.' });
      expect(again).toMatchObject({ created: false, number: first.number, draft: true, warnings: [] });
      const pulls = await harness.pulls(repo, draft.branch);
      expect(pulls).toHaveLength(1);
      expect(pulls[0]?.body).toContain('Now it greets.');
      expect(pulls[0]?.body.match(/bgagent:task-id=/g)).toHaveLength(1);
    });

    it('reads a pull request with its files, and starts from the branch it wants to go into', async () => {
      const head = await harness.branch(repo, draft.branch, files);
      const { number } = await talk.openPullRequest(repo, draft);
      expect(await talk.pullRequest(repo, number)).toMatchObject({
        number,
        title: draft.title,
        headBranch: draft.branch,
        headSha: head,
        baseBranch: 'main',
        fromFork: false,
        omittedFiles: 0,
        changedFiles: [
          { path: 'README.md', status: 'modified' },
          { path: 'more.txt', status: 'added', additions: 2, deletions: 0 },
        ],
      });
      expect(await harness.forge.preflight(repo, { prNumber: number })).toMatchObject({
        baseBranch: 'main',
        pullRequest: { number, headBranch: draft.branch, headSha: head, fromFork: false },
      });
    });

    it('asks those who may review, and says who may not', async () => {
      await harness.branch(repo, draft.branch, files);
      const opened = await talk.openPullRequest(repo, { ...draft, reviewers: ['stranger', 'mona'] });
      expect(opened.warnings).toEqual([expect.stringContaining('stranger')]);
    });

    it('keeps one comment a task, edited in place', async () => {
      const number = await harness.issue(repo, { title: 'Greeting', body: '' });
      const first = await talk.comment(repo, number, { taskId: draft.taskId, body: 'It runs.' });
      const again = await talk.comment(repo, number, { taskId: draft.taskId, body: 'It is done.' });
      await talk.comment(repo, number, { taskId: 'ANOTHER', body: 'Another one runs.' });
      expect(again.url).toBe(first.url);
      const { comments } = await harness.written(repo, number);
      expect(comments).toEqual([
        expect.stringContaining('It is done.'),
        expect.stringContaining('Another one runs.'),
      ]);
    });

    it('posts a review once, with what fits no line of the diff in its text', async () => {
      const head = await harness.branch(repo, draft.branch, files);
      const { number } = await talk.openPullRequest(repo, draft);
      const review = {
        taskId: draft.taskId,
        commitSha: head,
        body: 'Two remarks.',
        comments: [
          { path: 'more.txt', line: 2, body: 'Why two?' },
          { path: 'more.txt', line: 40, body: 'There is no such line.' },
        ],
      };
      expect(await talk.postReview(repo, number, review)).toMatchObject({ created: true });
      expect(await talk.postReview(repo, number, review)).toMatchObject({ created: false });
      const { reviews, inline } = await harness.written(repo, number);
      expect(reviews).toEqual([expect.stringContaining('There is no such line.')]);
      expect(inline).toEqual(['Why two?']);
    });
  });
}
