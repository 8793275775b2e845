/** The entries of a list that git printed, each ended by `end`. */
export const lines = (output: Buffer | string, end: '\n' | '\0'): string[] =>
  output
    .toString('utf8')
    .split(end)
    .filter((line) => line !== '');

/** A path as it may be shown: odd characters escaped, not too long. */
export const shownPath = (path = ''): string =>
  JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path).slice(1, -1);
