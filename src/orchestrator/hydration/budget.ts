import { type Piece, rendered } from './pieces.ts';

/** Bytes of UTF-8 that count as a token. English and code have about four, so it errs on the safe side; other scripts about three. */
const BYTES_A_TOKEN = 3;

/** An estimate that needs no tokeniser, as every model has its own. */
export const estimateTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / BYTES_A_TOKEN);

export interface Fitted {
  /** In the order in which they were given. */
  kept: Piece[];
  /** Left out whole. */
  dropped: Piece[];
  /** Names of those of which only the beginning is kept. */
  cut: string[];
  tokens: number;
}

/**
 * Makes texts fit: descriptions together get at most half of the tokens and are cut beyond, lists of files and single comments an
 * eighth each; then the oldest comments go until the rest fits.
 */
export function makeFit(pieces: readonly Piece[], maxTokens: number): Fitted {
  const bodies = pieces.filter(({ weight }) => weight === 'body').length;
  const cut: string[] = [];
  const measured = pieces.map((piece) => {
    const limit = Math.floor(piece.weight === 'body' ? maxTokens / (2 * bodies) : maxTokens / 8);
    const shortened = cutTo(piece, limit);
    if (shortened !== piece) cut.push(piece.name);
    return { piece: shortened, tokens: estimateTokens(rendered(shortened)) };
  });
  let tokens = measured.reduce((sum, each) => sum + each.tokens, 0);
  const dropped = new Set<Piece>();
  for (const { piece, tokens: size } of measured.filter(isOptional).sort(byWorth)) {
    if (tokens <= maxTokens) break;
    dropped.add(piece);
    tokens -= size;
  }
  return {
    kept: measured.map(({ piece }) => piece).filter((piece) => !dropped.has(piece)),
    dropped: [...dropped],
    cut,
    tokens,
  };
}

const isOptional = ({ piece: { weight } }: { piece: Piece }): boolean =>
  weight === 'talk' || weight === 'thread';

/** What nobody has resolved is worth more than what was said around it, and the newest of each more than the oldest. */
function byWorth({ piece: a }: { piece: Piece }, { piece: b }: { piece: Piece }): number {
  if (a.weight !== b.weight) return a.weight === 'talk' ? -1 : 1;
  return a.at < b.at ? -1 : a.at > b.at ? 1 : 0;
}

/** For the words that say so. */
const CUT_WORDS_BYTES = 60;

function cutTo(piece: Piece, tokens: number): Piece {
  const bytes = Buffer.from(piece.text);
  const marks = Buffer.byteLength(rendered({ ...piece, text: '' }));
  const room = tokens * BYTES_A_TOKEN - marks - CUT_WORDS_BYTES;
  if (bytes.length <= room) return piece;
  const kept = bytes
    .subarray(0, Math.max(0, room))
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
  return { ...piece, text: `${kept}\n[cut here: ${piece.text.length - kept.length} more characters]` };
}
