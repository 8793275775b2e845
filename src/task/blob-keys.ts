/** Under which keys the larger things of a task are kept in the blob store: `<kind>/<task id>/<attempt>`. */
const key = (kind: string) => (taskId: string, attempt: number) => `${kind}/${taskId}/${attempt}`;

export const logKey = key('logs');
export const diffKey = key('diffs');
/** What a session starts with; gone when it ends. */
export const payloadKey = key('payloads');

/** The prefixes below which everything of a task lies. */
export const blobPrefixesOf = (taskId: string): string[] =>
  ['logs', 'diffs', 'payloads'].map((kind) => `${kind}/${taskId}/`);
