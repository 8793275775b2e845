import { type Credential, type CredentialSource, withCredential } from './credential.ts';
import { type Address, createHttpTarget } from './http.ts';
import type { Upstream } from './upstream.ts';

export interface AnthropicUpstreamOptions extends Partial<Address> {
  credential: CredentialSource<Credential>;
}

const ANTHROPIC_URL = 'https://api.anthropic.com';
const API_VERSION = '2023-06-01';

/** The Anthropic API, or whatever speaks Messages at `baseUrl`. */
export function createAnthropicUpstream({
  baseUrl = ANTHROPIC_URL,
  proxy,
  credential,
}: AnthropicUpstreamOptions): Upstream {
  const target = createHttpTarget({ baseUrl, ...(proxy ? { proxy } : {}) });
  const used = new Set<string>();
  return {
    type: 'anthropic',
    api: 'anthropic',
    send: ({ operation, body, headers }, signal) =>
      withCredential(credential, ({ kind, value }) => {
        used.add(value);
        const path = operation === 'count_tokens' ? '/v1/messages/count_tokens' : '/v1/messages';
        return target.post(path, {
          body,
          signal,
          headers: {
            'anthropic-version': API_VERSION,
            ...headers,
            ...(kind === 'api_key' ? { 'x-api-key': value } : { authorization: `Bearer ${value}` }),
          },
        });
      }),
    secrets: () => [...used],
    close: () => target.close(),
  };
}
