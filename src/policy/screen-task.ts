import { BgAgentError } from '../task/errors.ts';
import type { Screen, TextSource, Verdict } from './screen.ts';

/** What each kind of text is called when it is refused, and the field of the request that holds it. */
const NAMES: Readonly<Record<TextSource, { title: string; field: string }>> = {
  task_description: { title: 'Task description', field: 'task_description' },
  issue: { title: 'Issue', field: 'issue_number' },
  pull_request: { title: 'Pull request', field: 'pr_number' },
  comment: { title: 'Comment', field: 'pr_number' },
  nudge: { title: 'Nudge', field: 'message' },
};

/**
 * Lets the text through or throws: VALIDATION_ERROR with filter and confidence when it is blocked, SERVICE_UNAVAILABLE
 * when the screen can't judge it, whatever went wrong there. Nothing to read (null, empty) passes.
 */
export async function screenTask(
  screen: Screen,
  text: string | null,
  source: TextSource = 'task_description',
): Promise<void> {
  if (text === null || text.trim() === '') return;
  const verdict = await judge(screen, text, source);
  if (verdict.kind === 'pass') return;
  const { title, field } = NAMES[source];
  throw new BgAgentError(
    'VALIDATION_ERROR',
    `${title} was blocked by content policy. Filter ${verdict.filter}, confidence ${verdict.confidence}.`,
    { field },
  );
}

async function judge(screen: Screen, text: string, source: TextSource): Promise<Verdict> {
  try {
    return await screen.check(text, { source });
  } catch (cause) {
    throw new BgAgentError('SERVICE_UNAVAILABLE', 'The text could not be screened, so it was not accepted.', {
      cause,
    });
  }
}
