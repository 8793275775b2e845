/** Lines of the new side that a patch shows: those that a review may comment on. */
export function linesOfPatch(patch: string | undefined): Set<number> {
  const lines = new Set<number>();
  let line = 0;
  let inHunk = false;
  for (const text of patch?.split('\n') ?? []) {
    const start = /^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(text)?.[1];
    if (start !== undefined) {
      line = Number(start);
      inHunk = true;
    } else if (inHunk && (text.startsWith('+') || text.startsWith(' '))) lines.add(line++);
  }
  return lines;
}
