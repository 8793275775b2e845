/** Not there, not a file, or below something that is not a folder. */
const CODES = ['ENOENT', 'EISDIR', 'ENOTDIR'];

/** What was read or opened; undefined when there is no such file. */
export async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Error && 'code' in error && CODES.includes(String(error.code))) return undefined;
    throw error;
  }
}
