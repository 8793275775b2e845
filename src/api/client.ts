import type { z } from '@hono/zod-openapi';
import { type ClientOptions, createSend, type RequestOptions } from './client/http.ts';
import type { CreatedLinkCode } from './schemas/account-links.ts';
import type { ApiKeyDetail, CreateApiKeyRequest, CreatedApiKey } from './schemas/api-keys.ts';
import type { DeliveryDetail } from './schemas/deliveries.ts';
import type { Fleet } from './schemas/fleet.ts';
import type { NudgeAnswer, NudgeRequest } from './schemas/nudges.ts';
import type { ReplayBundle } from './schemas/replay.ts';
import type { PutRepoRequest, RepoDetail, RepoPolicies } from './schemas/repos.ts';
import type {
  CreateTaskRequest,
  cancelledSchema,
  cancellingSchema,
  TaskDetail,
  TaskEventDetail,
  TaskSummary,
} from './schemas/tasks.ts';
import type { CreatedWebhook, CreateWebhookRequest, WebhookDetail } from './schemas/webhooks.ts';

export { BgAgentError } from '../task/errors.ts';
export { API_KEY_SCOPES, type ApiKeyScope } from '../task/scopes.ts';
export { ApiError, type ClientOptions } from './client/http.ts';
export { signDelivery } from './client/webhook-signature.ts';
export type {
  ApiKeyDetail,
  CreateApiKeyRequest,
  CreatedApiKey,
  CreatedWebhook,
  CreateTaskRequest,
  CreateWebhookRequest,
  Fleet,
  NudgeAnswer,
  NudgeRequest,
  PutRepoRequest,
  ReplayBundle,
  RepoDetail,
  RepoPolicies,
  TaskDetail,
  TaskEventDetail,
  TaskSummary,
  WebhookDetail,
};

/** How long a stream looks for a platform that is away (a restart, a deployment), in milliseconds. */
const GIVE_UP_AFTER_MS = 120_000;

export interface Page<T> {
  data: T[];
  pagination: { next_token: string | null; has_more: boolean };
}

export interface PageQuery {
  /** 1 to 100. */
  limit?: number;
  next_token?: string;
}

export type CancelAnswer = z.infer<typeof cancelledSchema> | z.infer<typeof cancellingSchema>;

/**
 * The platform's API. Every method throws ApiError with the platform's code and request id, or SERVICE_UNAVAILABLE (a plain
 * BgAgentError with the network's error as its cause) when the platform can't be reached.
 */
export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  const send = createSend(options);

  const json = async <T>(method: string, path: string, request?: RequestOptions): Promise<T> =>
    (await (await send(method, path, request)).json()) as T;
  const data = async <T>(method: string, path: string, request?: RequestOptions): Promise<T> =>
    (await json<{ data: T }>(method, path, request)).data;
  const text = async (path: string): Promise<string> =>
    (await send('GET', path, { headers: { Accept: 'text/plain' } })).text();

  const task = (taskId: string, rest = ''): string => `/v1/tasks/${encodeURIComponent(taskId)}${rest}`;
  const repo = (name: string): string => `/v1/repos/${encodeURIComponent(name)}`;

  /** `replayed`: the key was used before for this same request, and this is the task of then. */
  async function submit(
    path: string,
    body: unknown,
    idempotencyKey: string | undefined,
    { headers = {}, raw }: Pick<RequestOptions, 'headers' | 'raw'> = {},
  ): Promise<{ task: TaskDetail; replayed: boolean }> {
    const response = await send('POST', path, {
      body,
      raw,
      headers: { ...headers, 'Idempotency-Key': idempotencyKey },
    });
    const { data: detail } = (await response.json()) as { data: TaskDetail };
    return { task: detail, replayed: response.headers.get('idempotent-replay') === 'true' };
  }

  const listEvents = (
    taskId: string,
    { desc, ...query }: PageQuery & { after?: string; desc?: boolean } = {},
  ): Promise<Page<TaskEventDetail>> =>
    json('GET', task(taskId, '/events'), { query: { ...query, ...(desc ? { desc: 1 } : {}) } });

  return {
    createTask: (
      request: CreateTaskRequest,
      { idempotencyKey }: { idempotencyKey?: string | undefined } = {},
    ): Promise<{ task: TaskDetail; replayed: boolean }> => submit('/v1/tasks', request, idempotencyKey),

    retryTask: async (
      taskId: string,
      { idempotencyKey }: { idempotencyKey?: string | undefined } = {},
    ): Promise<TaskDetail> => (await submit(task(taskId, '/retry'), undefined, idempotencyKey)).task,

    /** `status`: one or several, separated by commas. */
    listTasks: (query: PageQuery & { status?: string; repo?: string } = {}): Promise<Page<TaskSummary>> =>
      json('GET', '/v1/tasks', { query: { ...query } }),

    getTask: (taskId: string): Promise<TaskDetail> => data('GET', task(taskId)),

    cancelTask: (taskId: string): Promise<CancelAnswer> => data('DELETE', task(taskId)),

    listEvents,

    /** Every event, past ones first, until the terminal one; goes on by itself after a broken connection. */
    async *streamEvents(
      taskId: string,
      {
        after,
        signal,
        giveUpAfterMs = GIVE_UP_AFTER_MS,
      }: { after?: string; signal?: AbortSignal; giveUpAfterMs?: number } = {},
    ): AsyncGenerator<TaskEventDetail, void, undefined> {
      const { followEvents } = await import('./client/stream.ts');
      yield* followEvents({
        send,
        taskId: encodeURIComponent(taskId),
        after,
        signal: signal ?? options.signal,
        giveUpAfterMs,
        listAfter: async (cursor) =>
          (await listEvents(taskId, { limit: 100, ...(cursor === undefined ? {} : { after: cursor }) })).data,
        hasEnded: async () => (await data<TaskDetail>('GET', task(taskId))).completed_at !== null,
      });
    },

    /** The task and its history in one document, cut at 5,000 events or 5 MiB. */
    getReplay: (taskId: string): Promise<ReplayBundle> => data('GET', task(taskId, '/replay')),
    getLogs: (taskId: string): Promise<string> => text(task(taskId, '/logs')),
    /** `truncated`: only its first part; the branch has it all. */
    async getDiff(taskId: string): Promise<{ diff: string; truncated: boolean }> {
      const response = await send('GET', task(taskId, '/diff'), { headers: { Accept: 'text/plain' } });
      const truncated = response.headers.get('x-diff-truncated') === 'true';
      return { diff: await response.text(), truncated };
    },
    /** Says something to the agent while it works. */
    nudgeTask: (
      taskId: string,
      request: NudgeRequest,
      { idempotencyKey }: { idempotencyKey?: string | undefined } = {},
    ): Promise<NudgeAnswer> =>
      data('POST', task(taskId, '/nudge'), {
        body: request,
        headers: { 'Idempotency-Key': idempotencyKey },
      }),
    listPending: async (): Promise<unknown[]> =>
      (await data<{ pending: unknown[] }>('GET', '/v1/pending')).pending,

    listRepos: (query: PageQuery = {}): Promise<Page<RepoDetail>> =>
      json('GET', '/v1/repos', { query: { ...query } }),
    getRepo: (name: string): Promise<RepoDetail> => data('GET', repo(name)),
    getRepoPolicies: (name: string): Promise<RepoPolicies> => data('GET', `${repo(name)}/policies`),
    putRepo: (name: string, settings: PutRepoRequest): Promise<RepoDetail> =>
      data('PUT', repo(name), { body: settings }),
    removeRepo: (name: string): Promise<RepoDetail> => data('DELETE', repo(name)),

    createApiKey: (request: CreateApiKeyRequest): Promise<CreatedApiKey> =>
      data('POST', '/v1/api-keys', { body: request }),
    createWebhook: (request: CreateWebhookRequest): Promise<CreatedWebhook> =>
      data('POST', '/v1/webhooks', { body: request }),
    listWebhooks: (query: PageQuery = {}): Promise<Page<WebhookDetail>> =>
      json('GET', '/v1/webhooks', { query: { ...query } }),
    revokeWebhook: (webhookId: string): Promise<WebhookDetail> =>
      data('DELETE', `/v1/webhooks/${encodeURIComponent(webhookId)}`),
    /** Submits as a sender of the webhook would: `body` is sent as it is, with the headers of `signDelivery`. */
    deliver: (
      signature: Readonly<Record<string, string>>,
      body: string,
      { idempotencyKey }: { idempotencyKey?: string | undefined } = {},
    ): Promise<{ task: TaskDetail; replayed: boolean }> =>
      submit('/v1/webhooks/tasks', undefined, idempotencyKey, { raw: body, headers: signature }),

    listApiKeys: (query: PageQuery = {}): Promise<Page<ApiKeyDetail>> =>
      json('GET', '/v1/api-keys', { query: { ...query } }),
    revokeApiKey: (keyId: string): Promise<ApiKeyDetail> =>
      data('DELETE', `/v1/api-keys/${encodeURIComponent(keyId)}`),

    listDeliveries: (
      query: PageQuery & { state?: DeliveryDetail['state'] } = {},
    ): Promise<Page<DeliveryDetail>> => json('GET', '/v1/deliveries', { query: { ...query } }),
    replayDelivery: (deliveryId: string): Promise<DeliveryDetail> =>
      data('POST', `/v1/deliveries/${encodeURIComponent(deliveryId)}/replay`),
    /** A code that links an account elsewhere to the caller, once, within ten minutes. */
    createLinkCode: (provider: 'slack' | 'github'): Promise<CreatedLinkCode> =>
      data('POST', '/v1/account-links', { body: { provider } }),

    getFleet: (): Promise<Fleet> => data('GET', '/v1/fleet'),
    /** Throws SERVICE_UNAVAILABLE when the platform can't serve. */
    checkReady: async (): Promise<void> => {
      await send('GET', '/readyz');
    },
  };
}
