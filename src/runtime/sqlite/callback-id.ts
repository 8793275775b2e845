/** A callback id tells where the callback is; its token keeps it from being guessed. */
export interface CallbackAddress {
  executionId: string;
  operationId: string;
}

export const encodeCallbackId = ({ executionId, operationId }: CallbackAddress, token: string): string =>
  Buffer.from(JSON.stringify([executionId, operationId, token])).toString('base64url');

/** Undefined when it's no id of ours. */
export function decodeCallbackId(callbackId: string): CallbackAddress | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(callbackId, 'base64url').toString());
    if (!Array.isArray(parts)) return undefined;
    const [executionId, operationId] = parts as unknown[];
    return typeof executionId === 'string' && typeof operationId === 'string'
      ? { executionId, operationId }
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
