import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../task/errors.ts';
import { parseJson } from '../task/json.ts';
import { type Bootstrap, bootstrapSchema } from '../task/protocol.ts';

export interface BootstrapOptions {
  /** 0 up to 1. */
  random(): number;
  note(text: string): void;
  /** Pauses between tries, in milliseconds. Default: a minute in all. */
  pausesMs?: readonly number[];
}

/** The document is not there any more: whoever removed it wants nothing of this runner. */
export class BootstrapGoneError extends Error {
  override readonly name = 'BootstrapGoneError';
}

const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
const ANSWER_LIMIT_MS = 15_000;
const MAX_BYTES = 65_536;

/**
 * Reads the bootstrap from its signed address. Throws BootstrapGoneError when it has been removed or the address has expired.
 * The address is a secret, so errors name its host only.
 */
export async function fetchBootstrap(
  address: string,
  { random, note, pausesMs = PAUSES_MS }: BootstrapOptions,
): Promise<Bootstrap> {
  const { host } = new URL(address);
  for (let tries = 0; ; tries += 1) {
    let why: string;
    try {
      const answer = await fetch(address, {
        redirect: 'error',
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
      if (answer.ok) return understand(await answer.text(), host);
      if (answer.status === 403 || answer.status === 404 || answer.status === 410)
        throw new BootstrapGoneError(
          `the bootstrap at ${host} is gone, or its address has expired (${answer.status})`,
        );
      why = `status ${answer.status}`;
    } catch (error) {
      if (error instanceof BootstrapGoneError || error instanceof NotABootstrapError) throw error;
      why = messageOf(error);
    }
    const pause = pausesMs[tries];
    if (pause === undefined) throw new Error(`the bootstrap at ${host} can't be read: ${why}`);
    if (tries === 2) note(`the bootstrap at ${host} can't be read (${why}); trying on\n`);
    await delay(pause * (0.5 + random() / 2));
  }
}

class NotABootstrapError extends Error {
  override readonly name = 'NotABootstrapError';
}

function understand(text: string, host: string): Bootstrap {
  const parsed = text.length <= MAX_BYTES ? bootstrapSchema.safeParse(parseJson(text)) : undefined;
  if (parsed?.success) return parsed.data;
  const field = parsed?.error?.issues[0]?.path.join('.') ?? 'its size';
  throw new NotABootstrapError(`what lies at ${host} is no bootstrap: ${field || 'not an object'} is wrong`);
}
