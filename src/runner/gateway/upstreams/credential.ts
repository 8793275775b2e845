import type { UpstreamAnswer } from './upstream.ts';

/** What a provider wants to see: an API key, or a token as `Authorization: Bearer`. */
export interface Credential {
  kind: 'api_key' | 'bearer';
  value: string;
}

/**
 * Asked before each attempt, so it should remember. `refused` is one that the provider doesn't take any more: then another is
 * wanted, or the same again when there is none.
 */
export type CredentialSource<T> = (refused?: T) => Promise<T>;

/** A credential that ends while a task runs is replaced once in a call. */
export async function withCredential<T>(
  source: CredentialSource<T>,
  send: (credential: T) => Promise<UpstreamAnswer>,
): Promise<UpstreamAnswer> {
  const credential = await source();
  const answer = await send(credential);
  if (answer.status !== 401 && answer.status !== 403) return answer;
  const next = await source(credential);
  if (JSON.stringify(next) === JSON.stringify(credential)) return answer;
  answer.body.destroy();
  return send(next);
}
