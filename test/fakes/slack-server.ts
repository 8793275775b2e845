import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSlackWorkspace, type SlackWorkspace } from './slack-workspace.ts';

/** What happens to a call. `accept`: it is done all the same; `times`: as often. */
export type SlackFault =
  | { kind: 'error'; code: string }
  | { kind: 'limit'; seconds: number | null }
  | { kind: 'status'; status: number; accept?: boolean }
  | { kind: 'hang' | 'drop'; accept?: boolean; times?: number };

export interface SlackServer extends SlackWorkspace {
  /** Base of the Web API, with its last slash. */
  apiUrl: string;
  /** Where answers to commands and buttons are posted. */
  responseUrl: string;
  /** Bodies that arrived there. */
  responses: Record<string, unknown>[];
  /** Every call, in order. */
  calls: { method: string; args: Record<string, string> }[];
  /** Tokens that are accepted, and the scopes of each. */
  tokens: Map<string, string[]>;
  /** What `oauth.v2.access` answers, by code or refresh token. */
  grants: Map<string, Record<string, unknown>>;
  /** The next calls of the method meet these, each once. */
  fault(method: string, ...faults: SlackFault[]): void;
  /** Asked at each call that no planned fault meets. */
  chance: (method: string) => SlackFault | undefined;
  /** Forgets messages, calls and planned faults. */
  reset(): void;
  close(): Promise<void>;
}

/** A Slack server on loopback for one workspace. */
export async function startSlackServer({
  channels = ['C1'],
  now,
}: {
  channels?: string[];
  now?: () => number;
} = {}): Promise<SlackServer> {
  const workspace = createSlackWorkspace({ channels, ...(now ? { now } : {}) });
  const planned = new Map<string, SlackFault[]>();
  const server: SlackServer = {
    ...workspace,
    apiUrl: '',
    responseUrl: '',
    responses: [],
    calls: [],
    grants: new Map(),
    chance: () => undefined,
    tokens: new Map([['xoxb-test', []]]),
    fault(method, ...faults) {
      planned.set(method, [...(planned.get(method) ?? []), ...faults]);
    },
    reset() {
      planned.clear();
      server.chance = () => undefined;
      for (const list of [server.messages, server.ephemeral, server.calls, server.responses]) list.length = 0;
    },
    async close() {
      http.closeAllConnections();
      await new Promise((closed) => http.close(closed));
    },
  };

  function perform(method: string, token: string, args: Record<string, string>): Record<string, unknown> {
    if (method === 'oauth.v2.access')
      return server.grants.get(args.code ?? args.refresh_token ?? '') ?? { ok: false, error: 'invalid_code' };
    if (!server.tokens.has(token)) return { ok: false, error: token === '' ? 'not_authed' : 'invalid_auth' };
    if (method === 'auth.test')
      return { ok: true, team: 'Octo', team_id: 'T1', user: 'bgagent', user_id: 'UBOT' };
    return workspace.perform(method, args);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request);
    if (request.url?.startsWith('/responses')) {
      server.responses.push(JSON.parse(body));
      response.end('ok');
      return;
    }
    const method = request.url?.replace('/api/', '') ?? '';
    const { token = '', ...args } = Object.fromEntries(new URLSearchParams(body));
    const bearer = token || (request.headers.authorization?.replace('Bearer ', '') ?? '');
    server.calls.push({ method, args });
    const fault = planned.get(method)?.shift() ?? server.chance(method);
    const send = (status: number, value: unknown, headers: Record<string, string> = {}): void => {
      const scopes = (server.tokens.get(bearer) ?? []).join(',');
      response.writeHead(status, {
        'content-type': 'application/json',
        'x-oauth-scopes': scopes,
        ...headers,
      });
      response.end(JSON.stringify(value));
    };
    if (fault?.kind === 'error') return send(200, { ok: false, error: fault.code });
    if (fault?.kind === 'limit')
      return send(
        429,
        { ok: false, error: 'ratelimited' },
        fault.seconds === null ? {} : { 'retry-after': String(fault.seconds) },
      );
    const times = fault?.kind === 'hang' || fault?.kind === 'drop' ? (fault.times ?? 1) : 1;
    if (!fault || fault.accept) {
      let result = {};
      for (let n = 0; n < times; n++) result = perform(method, bearer, args);
      if (!fault) return send(200, result);
    }
    if (fault.kind === 'status') return send(fault.status, 'broken');
    if (fault.kind === 'drop') request.socket.destroy();
  }

  const http = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  server.apiUrl = `${base}/api/`;
  server.responseUrl = `${base}/responses/1`;
  return server;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
