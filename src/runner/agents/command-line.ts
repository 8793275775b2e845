/** A command line for `sh -c` that starts exactly this program with exactly these arguments. */
export const commandLineOf = (command: string, args: readonly string[]): string =>
  ['exec', ...[command, ...args].map(quote)].join(' ');

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
