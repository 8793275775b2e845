import { BgAgentError } from '../task/errors.ts';
import type { Screen, TextSource, Verdict } from './screen.ts';

/**
 * Lets the text through or throws: VALIDATION_ERROR with filter and confidence when it is blocked, SERVICE_UNAVAILABLE
 * when the screen can't judge it, whatever went wrong there. Nothing to read (null, empty) passes.
 */
export async function screenTask(screen: Screen, text: string | null): Promise<void> {
  const why = await screenText(screen, text, 'task_description');
  if (why === null) return;
  throw new BgAgentError('VALIDATION_ERROR', `Task description was blocked by content policy. ${why}`, {
    field: 'task_description',
  });
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
