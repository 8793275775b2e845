import type { Screen } from '../../policy/screen.ts';
import { screenText } from '../../policy/screen-task.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { Piece } from './pieces.ts';

/** Texts that are looked at at the same time. */
const AT_ONCE = 4;

/**
 * Screens all texts before any of them reaches an agent. A description that is blocked ends the task: CONTENT_BLOCKED. A comment
 * is left out, since whoever may comment could otherwise stop every task; so is a list of files. Throws SCREENING_UNAVAILABLE.
 */
export async function screenPieces(
  screen: Screen,
  pieces: readonly Piece[],
): Promise<{ passed: Piece[]; withheld: string[] }> {
  const blocked = new Map<Piece, string>();
  for (let index = 0; index < pieces.length; index += AT_ONCE)
    await Promise.all(
      pieces.slice(index, index + AT_ONCE).map(async (piece) => {
        const why = await blockedBy(screen, piece);
        if (why === null) return;
        if (piece.weight === 'body')
          throw new BgAgentError(
            'CONTENT_BLOCKED',
            `${capital(piece.name)} was blocked by content policy. ${why}`,
          );
        blocked.set(piece, why);
      }),
    );
  return {
    passed: pieces.filter((piece) => !blocked.has(piece)),
    withheld: [...blocked].map(([{ name }, why]) => `${name} (${why.replace(/\.$/, '')})`),
  };
}

/** Attributes are written by others, too: names of people, branches and files. */
async function blockedBy(screen: Screen, { text, attributes, source }: Piece): Promise<string | null> {
  try {
    return await screenText(screen, [text, ...Object.values(attributes)].join('\n'), source);
  } catch (error) {
    throw new BgAgentError(
      'SCREENING_UNAVAILABLE',
      'what others wrote could not be screened, so it was given to no agent',
      { cause: error },
    );
  }
}

const capital = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
