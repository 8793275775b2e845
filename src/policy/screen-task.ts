import { BgAgentError } from '../task/errors.ts';
import type { Screen, TextSource, Verdict } from './screen.ts';

/** What a request says itself: what it's called when it is refused, and the field that holds it. */
const REQUESTED = {
  task_description: { title: 'Task description', field: 'task_description' },
  nudge: { title: 'Nudge', field: 'message' },
} as const satisfies Partial<Record<TextSource, unknown>>;

/**
 * Lets the text through or throws: VALIDATION_ERROR with filter and confidence when it is blocked, SERVICE_UNAVAILABLE
 * when the screen can't judge it, whatever went wrong there. Nothing to read (null, empty) passes.
 */
export async function screenTask(
  screen: Screen,
  text: string | null,
  source: keyof typeof REQUESTED = 'task_description',
): Promise<void> {
  const why = await screenText(screen, text, source);
  if (why === null) return;
  const { title, field } = REQUESTED[source];
  throw new BgAgentError('VALIDATION_ERROR', `${title} was blocked by content policy. ${why}`, { field });
}

/** Which filter blocks the text and how sure it is, as a sentence; null when it passes. Throws SERVICE_UNAVAILABLE as above. */
export async function screenText(
  screen: Screen,
  text: string | null,
  source: TextSource,
): Promise<string | null> {
  if (text === null || text.trim() === '') return null;
  const verdict = await judge(screen, text, source);
  return verdict.kind === 'pass' ? null : `Filter ${verdict.filter}, confidence ${verdict.confidence}.`;
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
