/** What an agent is told of its workflow, by the workflow's id. */
export const WORKFLOW_PARTS: Readonly<Record<string, string>> = {
  'coding/new-task-v1': [
    'Do what the task below asks. Change what it needs and nothing else, in the style of the code around it; add or change tests where the',
    'repository has some. Run its checks when you can, and leave them no worse than you found them.',
    'When there is nothing to do, change nothing and say why.',
  ].join('\n'),
  'coding/pr-iteration-v1': [
    'The branch belongs to a pull request that is open. Go through what its reviewers ask for and change what is right; where something is not,',
    'leave it and say why. Keep to what the pull request is about, and leave the checks of the repository no worse than you found them.',
    'When there is nothing to do, change nothing and say why.',
  ].join('\n'),
  'coding/pr-review-v1': [
    'Review the pull request: read what it changes and what that touches. Change no file; what you change is thrown away.',
    'Say what is wrong or at risk, where (file and line), why, and what would be better: the most important first, nothing that a formatter',
    'would find, and that all is well when it is.',
  ].join('\n'),
};
