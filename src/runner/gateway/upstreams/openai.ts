import { type Credential, type CredentialSource, withCredential } from './credential.ts';
import { type Address, createHttpTarget } from './http.ts';
import type { Upstream } from './upstream.ts';

export interface OpenAiUpstreamOptions extends Partial<Address> {
  credential: CredentialSource<Credential>;
}

const OPENAI_URL = 'https://api.openai.com/v1';

/** The OpenAI API, or whatever speaks Responses at `baseUrl`. */
export function createOpenAiUpstream({
  baseUrl = OPENAI_URL,
  proxy,
  credential,
}: OpenAiUpstreamOptions): Upstream {
  const target = createHttpTarget({ baseUrl, ...(proxy ? { proxy } : {}) });
  const used = new Set<string>();
  return {
    type: 'openai',
    api: 'openai',
    send: ({ body, headers }, signal) =>
      withCredential(credential, ({ value }) => {
        used.add(value);
        return target.post('/v1/responses', {
          body,
          signal,
          headers: { ...headers, authorization: `Bearer ${value}` },
        });
      }),
    secrets: () => [...used],
    close: () => target.close(),
  };
}
