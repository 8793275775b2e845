/** What a text says as JSON; undefined when it is none: the schema that it's then checked by says what is expected instead. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Told by whoever checks the value.
    return undefined;
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
