import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type ModelAccess,
  type OutcomeReport,
  type Payload,
  type ReportReply,
  type ReportRequest,
  reportRequestSchema,
  startRequestSchema,
} from '../../src/task/protocol.ts';

/** The platform's side of the runner's protocol, in memory: what a runner told, and what it's told. */
export interface FakePlatform {
  url: string;
  token: string;
  /** In the order of their sequence numbers, each once. */
  readonly events: ReportRequest['events'];
  readonly log: string;
  readonly outcome: OutcomeReport | undefined;
  readonly reports: number;
  /** How the next requests are answered; `down` drops the connection. Default `ok`. */
  mode: 'ok' | 'down' | 'stale' | 'unavailable' | 'refuse' | 'html';
  reply: ReportReply;
  credentials: { username: string; password: string } | null;
  model: ModelAccess | null;
  /** Served at /bootstrap to whoever has its address, as a bucket does; undefined = gone. */
  bootstrap: unknown;
  /** When the credentials end. */
  expiresAt: string | null;
  /** How often credentials were asked for. */
  readonly credentialsAsked: number;
  /** In place of credentials: refused with this code. */
  credentialsRefused: string | null;
  /** Resolves when the outcome is there. */
  ended(): Promise<OutcomeReport>;
  /** Resolves when an event of that type is there. */
  seen(eventType: string, matches?: (metadata: Record<string, unknown>) => boolean): Promise<void>;
  /** Comes back on another port; returns its URL. */
  move(): Promise<string>;
  close(): Promise<void>;
}

export async function createFakePlatform(payload: () => Payload): Promise<FakePlatform> {
  const token = `task-token-${randomUUID()}`;
  const events = new Map<number, ReportRequest['events'][number]>();
  const waiters = new Set<() => void>();
  let log = Buffer.alloc(0);
  let outcome: OutcomeReport | undefined;
  let reports = 0;
  let holder: string | undefined;
  let credentialsAsked = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (platform.mode === 'down') return void request.socket.destroy();
    if (platform.mode === 'refuse') return fail(response, 400, 'VALIDATION_ERROR');
    if (platform.mode === 'html') return void response.writeHead(200).end('<h1>It works!</h1>');
    if (platform.mode === 'unavailable') return fail(response, 503, 'SERVICE_UNAVAILABLE');
    if (platform.mode === 'stale') return fail(response, 409, 'EPOCH_STALE');
    if (request.url?.startsWith('/bootstrap?'))
      return platform.bootstrap === undefined
        ? void response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>')
        : void response.writeHead(200).end(JSON.stringify(platform.bootstrap));
    if (request.headers.authorization !== `Bearer ${token}`) return fail(response, 401, 'UNAUTHORIZED');
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8') || 'null');
    const what = request.url?.split('/').at(-1);
    if (what === 'start') {
      const { runner_id } = startRequestSchema.parse(body);
      holder ??= runner_id;
      return holder === runner_id ? send(response, { started: true }) : fail(response, 409, 'EPOCH_STALE');
    }
    if (what === 'payload') return send(response, payload());
    if (what === 'credentials') {
      credentialsAsked += 1;
      if (platform.credentialsRefused !== null) return fail(response, 403, platform.credentialsRefused);
      const { credentials: git, model, expiresAt: expires_at } = platform;
      return send(response, { git, model, expires_at });
    }
    if (what === 'report') return send(response, take(reportRequestSchema.parse(body)));
    return fail(response, 404, 'NOT_FOUND');
  }

  function take(report: ReportRequest): ReportReply {
    reports += 1;
    for (const event of report.events) if (!events.has(event.seq)) events.set(event.seq, event);
    if (report.log) {
      if (report.log.offset > log.length)
        throw new Error(`log: a gap between ${log.length} and ${report.log.offset}`);
      const bytes = Buffer.from(report.log.text);
      log = Buffer.concat([log, bytes.subarray(log.length - report.log.offset)]);
    }
    outcome ??= report.outcome ?? undefined;
    for (const check of waiters) check();
    return platform.reply;
  }

  function until<T>(value: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = value();
        if (found === undefined) return;
        waiters.delete(check);
        resolve(found);
      };
      waiters.add(check);
      check();
    });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      process.stderr.write(`fake platform: ${error instanceof Error ? error.stack : error}\n`);
      fail(response, 500, 'INTERNAL_ERROR');
    });
  });
  async function listen(): Promise<string> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }
  async function close(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  const platform: FakePlatform = {
    url: await listen(),
    token,
    get events() {
      return [...events.values()].sort((a, b) => a.seq - b.seq);
    },
    get log() {
      return log.toString('utf8');
    },
    get outcome() {
      return outcome;
    },
    get reports() {
      return reports;
    },
    mode: 'ok',
    reply: { cancel_requested: false, nudges: [] },
    credentials: null,
    model: null,
    bootstrap: undefined,
    expiresAt: null,
    credentialsRefused: null,
    get credentialsAsked() {
      return credentialsAsked;
    },
    ended: () => until(() => outcome),
    async seen(eventType, matches = () => true) {
      await until(() =>
        [...events.values()].find((event) => event.event_type === eventType && matches(event.metadata)),
      );
    },
    async move() {
      await close();
      platform.mode = 'ok';
      return listen();
    },
    close,
  };
  return platform;
}

function send(response: ServerResponse, data: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data }));
}

function fail(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify({ error: { code, message: code.toLowerCase(), request_id: 'fake' } }));
}
