import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { BgAgentError } from '../../../task/errors.ts';
import { anthropicEvents, anthropicJson } from './bedrock-answer.ts';
import { type CredentialSource, withCredential } from './credential.ts';
import { type Address, createHttpTarget } from './http.ts';
import type { Upstream, UpstreamRequest } from './upstream.ts';

export interface AwsCredential {
  accessKeyId: string;
  secretAccessKey: string;
  /** Of a role that was taken on for this task; absent for a user's lasting key. */
  sessionToken?: string;
}

export interface BedrockUpstreamOptions extends Partial<Address> {
  region: string;
  credential: CredentialSource<AwsCredential>;
  /** Ids or ARNs of Bedrock by the name that the agent uses. A model that is missing here is asked for by that name. */
  modelIds?: Readonly<Record<string, string>>;
  /** Features in preview that the agent may ask for; others are left out, since Bedrock refuses what it doesn't know. */
  betas?: readonly string[];
  now?: () => number;
}

const BEDROCK_VERSION = 'bedrock-2023-05-31';
/** What Bedrock documents for InvokeModel. */
const BETAS = [
  'computer-use-2025-01-24',
  'token-efficient-tools-2025-02-19',
  'interleaved-thinking-2025-05-14',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'effort-2025-11-24',
  'tool-search-tool-2025-10-19',
  'tool-examples-2025-10-29',
];

/** Claude on Amazon Bedrock: InvokeModel and InvokeModelWithResponseStream, told as Anthropic Messages. */
export function createBedrockUpstream(options: BedrockUpstreamOptions): Upstream {
  const { region, credential, modelIds = {}, betas = BETAS, now = Date.now } = options;
  if (!/^[a-z]{2,}(-[a-z]+)+-\d+$/.test(region))
    throw new BgAgentError('VALIDATION_ERROR', 'the region of Bedrock must be a name like us-east-1', {
      field: 'region',
    });
  const baseUrl = options.baseUrl ?? `https://bedrock-runtime.${region}.amazonaws.com`;
  const { host, pathname } = new URL(baseUrl);
  const target = createHttpTarget({ baseUrl, ...(options.proxy ? { proxy: options.proxy } : {}) });
  const used = new Set<string>();

  async function sign(
    path: string,
    body: Buffer,
    credentials: AwsCredential,
  ): Promise<Record<string, string>> {
    const signer = new SignatureV4({ service: 'bedrock', region, credentials, sha256: Sha256 });
    const { headers } = await signer.sign(
      {
        method: 'POST',
        protocol: 'https:',
        hostname: host,
        path: `${pathname.replace(/\/+$/, '')}${path}`,
        headers: { host, 'content-type': 'application/json' },
        body,
      },
      { signingDate: new Date(now()) },
    );
    const { host: _host, ...rest } = headers;
    return rest;
  }

  return {
    type: 'bedrock',
    api: 'anthropic',
    async send(request, signal) {
      const model = encodeURIComponent(modelIds[request.model] ?? request.model);
      const path = `/model/${model}/${actionOf(request)}`;
      const body = Buffer.from(JSON.stringify(bodyOf(request, betas)));
      const answer = await withCredential(credential, async (credentials) => {
        for (const secret of [credentials.secretAccessKey, credentials.sessionToken ?? ''])
          if (secret !== '') used.add(secret);
        return target.post(path, { headers: await sign(path, body, credentials), body, signal });
      });
      if (answer.status === 200 && request.stream) return anthropicEvents(answer);
      return anthropicJson(answer, request.operation);
    },
    secrets: () => [...used],
    close: () => target.close(),
  };
}

function actionOf({ operation, stream }: UpstreamRequest): string {
  if (operation === 'count_tokens') return 'count-tokens';
  return stream ? 'invoke-with-response-stream' : 'invoke';
}

function bodyOf({ operation, fields, headers }: UpstreamRequest, allowed: readonly string[]): unknown {
  const { model: _model, stream: _stream, ...rest } = fields;
  const asked = (headers['anthropic-beta'] ?? '').split(',').map((beta) => beta.trim());
  const betas = asked.filter((beta) => allowed.includes(beta));
  const body = {
    ...rest,
    anthropic_version: BEDROCK_VERSION,
    ...(betas.length > 0 ? { anthropic_beta: betas } : {}),
  };
  if (operation !== 'count_tokens') return body;
  // It counts for a call that must be whole, so it wants a limit of output as well.
  const counted = { max_tokens: 1, ...body };
  return { input: { invokeModel: { body: Buffer.from(JSON.stringify(counted)).toString('base64') } } };
}
