/** Where the text that a task leaves is kept; a prefix `<kind>/<task id>/` holds all of a task's. */
export const logKey = (taskId: string, attempt: number): string => `logs/${taskId}/${attempt}`;
export const diffKey = (taskId: string, attempt: number): string => `diffs/${taskId}/${attempt}`;
