import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiError, BgAgentError, type Client, createClient } from '../../../src/api/client.ts';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { anOutcome } from '../../fixtures/outcome.ts';

let platform: TestPlatform;
let client: Client;
let admin: Client;
beforeAll(async () => {
  platform = await startTestPlatform();
  client = createClient({ apiUrl: platform.url, apiKey: await platform.key('octo') });
  admin = createClient({ apiUrl: `${platform.url}/`, apiKey: await platform.key('root', ['admin']) });
});
afterAll(() => platform.close());

const REPO = '/srv/git/hello.git';
const submit = () => client.createTask({ repo: REPO, task_description: 'Add a greeting' });

const tell = (taskId: string, turn: number) =>
  platform.deps.stores.events.appendReported(taskId, 1, [
    {
      seq: turn,
      event: { type: 'agent_turn', metadata: { turn, preview: '' } },
      timestamp: '2030-01-01T00:00:00.000Z',
    },
  ]);

/** What the promise fails with. */
const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('the client', () => {
  it('submits, shows, lists, cancels and retries tasks', async () => {
    const { task, replayed } = await client.createTask(
      { repo: REPO, task_description: 'Add a greeting' },
      { idempotencyKey: 'client' },
    );
    expect(replayed).toBe(false);
    const again = await client.createTask(
      { repo: REPO, task_description: 'Add a greeting' },
      { idempotencyKey: 'client' },
    );
    expect(again).toMatchObject({ replayed: true, task: { task_id: task.task_id } });
    expect(await client.getTask(task.task_id)).toEqual(task);
    const page = await client.listTasks({ limit: 1, status: 'SUBMITTED' });
    expect(page).toMatchObject({
      data: [{ task_id: task.task_id }],
      pagination: { has_more: expect.any(Boolean) },
    });
    expect((await client.listEvents(task.task_id, { desc: true })).data).toMatchObject([
      { event_type: 'task_created' },
    ]);
    expect(await client.cancelTask(task.task_id)).toMatchObject({
      task_id: task.task_id,
      status: 'SUBMITTED',
    });
    await platform.end(task.task_id);
    expect(await client.retryTask(task.task_id)).toMatchObject({ retry_of: task.task_id });
    expect(await client.listPending()).toEqual([]);
  });

  it('reads logs and diffs as text', async () => {
    const { task } = await submit();
    await platform.deps.blobs.put(`logs/${task.task_id}/1`, 'grüße\n');
    expect(await client.getLogs(task.task_id)).toBe('grüße\n');
    expect(await failureOf(client.getDiff(task.task_id))).toMatchObject({
      code: 'TRACE_NOT_AVAILABLE',
      status: 404,
    });
    await platform.end(task.task_id);
    expect(await client.getDiff(task.task_id)).toEqual({ diff: '', truncated: false });
  });

  it('tells that a diff is only a part of it', async () => {
    const { task } = await submit();
    await platform.deps.stores.outcomes.put(task.task_id, 1, anOutcome({ diff_truncated: true }));
    await platform.deps.blobs.put(`diffs/${task.task_id}/1`, 'diff --git a/a b/a\n');
    expect(await client.getDiff(task.task_id)).toEqual({ diff: 'diff --git a/a b/a\n', truncated: true });
  });

  it('administers repositories and keys', async () => {
    expect(await admin.putRepo('octo/hello', { agent_command: 'make' })).toMatchObject({
      agent_command: 'make',
    });
    expect(await admin.getRepo('octo/hello')).toMatchObject({ repo: 'octo/hello' });
    expect((await admin.listRepos()).data.map(({ repo }) => repo)).toContain('octo/hello');
    expect(await admin.removeRepo('octo/hello')).toMatchObject({ status: 'removed' });
    const made = await admin.createApiKey({ name: 'x', scopes: ['tasks:read'] });
    expect((await admin.listApiKeys({ limit: 100 })).data.map(({ key_id }) => key_id)).toContain(made.key_id);
    expect((await admin.revokeApiKey(made.key_id)).revoked_at).not.toBeNull();
    expect(await admin.getFleet()).toHaveProperty('capacity');
    await admin.checkReady();
  });

  it('tells what the platform said, with its code and request id', async () => {
    const error = await failureOf(client.getTask('01ARZ3NDEKTSV4RRFFQ69G5FAV'));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toBeInstanceOf(BgAgentError);
    expect(error).toMatchObject({
      code: 'TASK_NOT_FOUND',
      status: 404,
      requestId: expect.stringMatching(/^[0-9A-Z]{26}$/),
    });
  });

  it('tells a platform that is not there from one that refuses', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as AddressInfo;
    await new Promise((closed) => gone.close(closed));
    const away = createClient({ apiUrl: `http://127.0.0.1:${port}`, apiKey: 'x' });
    const error = await failureOf(away.getTask('x'));
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(error).not.toBeInstanceOf(ApiError);
    expect((error as Error).message).toContain(`127.0.0.1:${port}`);
    expect((error as Error).cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it.each(['nonsense', 'ftp://example.com', ''])('does not take %j for an address', (apiUrl) => {
    expect(() => createClient({ apiUrl, apiKey: 'x' })).toThrow(/api_url/);
  });

  it('does not send a key that no header can hold', () => {
    expect(() => createClient({ apiUrl: 'http://127.0.0.1', apiKey: 'two\nlines' })).toThrow(/api_key/);
  });
});

describe('a server that is not the platform', () => {
  async function serve(listener: RequestListener): Promise<{ client: Client; server: Server }> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return {
      server,
      client: createClient({ apiUrl: `http://127.0.0.1:${port}`, apiKey: 'x', timeoutMs: 200 }),
    };
  }

  it.each<[string, RequestListener, object]>([
    [
      'answers with a page',
      (_, response) => response.writeHead(502).end('<html>'),
      { code: 'SERVICE_UNAVAILABLE', status: 502, requestId: null },
    ],
    [
      'answers with other JSON',
      (_, response) => response.writeHead(404).end('{"error":"nope"}'),
      { code: 'ROUTE_NOT_FOUND' },
    ],
    [
      'redirects',
      (_, response) => response.writeHead(301, { Location: 'https://example.com/' }).end(),
      { code: 'VALIDATION_ERROR', field: 'api_url' },
    ],
    [
      'asks to wait',
      (_, response) => response.writeHead(429, { 'Retry-After': '7' }).end(),
      { code: 'RATE_LIMIT_EXCEEDED', retryAfterSeconds: 7 },
    ],
    [
      'knows newer codes',
      (_, response) =>
        response.writeHead(409).end('{"error":{"code":"NEWER","message":"m","request_id":"r"}}'),
      { code: 'VALIDATION_ERROR', message: 'm', requestId: 'r' },
    ],
    [
      'never answers',
      () => undefined,
      { code: 'SERVICE_UNAVAILABLE', message: expect.stringContaining('in time') },
    ],
    ['hangs up', (request) => request.socket.destroy(), { code: 'SERVICE_UNAVAILABLE' }],
  ])('and %s is told so', async (_what, listener, expected) => {
    const { client: stranger, server } = await serve(listener);
    try {
      expect(await failureOf(stranger.getTask('x'))).toMatchObject(expected);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('following a task', () => {
  const follow = async (
    follower: Client,
    taskId: string,
    onTurn: (turn: number) => void = () => undefined,
  ) => {
    const seen: unknown[] = [];
    for await (const event of follower.streamEvents(taskId)) {
      seen.push(event.metadata.turn ?? event.event_type);
      if (typeof event.metadata.turn === 'number') onTurn(event.metadata.turn);
    }
    return seen;
  };

  /** A way to the platform that treats each stream as `treat` says, by its number. */
  async function via(
    treat: (stream: number, request: Request) => Promise<Response | undefined>,
  ): Promise<Client> {
    let streams = 0;
    return createClient({
      apiUrl: platform.url,
      apiKey: await platform.key('octo'),
      fetch: async (input, init) => {
        const request = new Request(input, init);
        if (!request.url.endsWith('/stream')) return fetch(request);
        streams += 1;
        return (await treat(streams, request)) ?? fetch(request);
      },
    });
  }

  it('yields every event until the end', async () => {
    const { task } = await submit();
    await tell(task.task_id, 1);
    const seen = await follow(
      client,
      task.task_id,
      (turn) => void (turn === 1 ? tell(task.task_id, 2) : platform.end(task.task_id)),
    );
    expect(seen).toEqual(['task_created', 1, 2, 'task_failed']);
  });

  it('goes on where it was after each broken connection, without a gap or a double', async () => {
    const { task } = await submit();
    // Every connection breaks after its first event.
    const shaky = await via(async (_stream, request) => {
      const response = await fetch(request);
      let parts = 0;
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          parts += 1;
          if (parts > 2) controller.error(new Error('connection lost'));
          else controller.enqueue(chunk);
        },
      });
      return new Response(response.body?.pipeThrough(cut), response);
    });
    await tell(task.task_id, 1);
    const seen = await follow(
      shaky,
      task.task_id,
      (turn) => void (turn < 4 ? tell(task.task_id, turn + 1) : platform.end(task.task_id)),
    );
    expect(seen).toEqual(['task_created', 1, 2, 3, 4, 'task_failed']);
  });

  it('asks for events where streams do not get through', async () => {
    const { task } = await submit();
    await tell(task.task_id, 1);
    await platform.end(task.task_id);
    const blocked = await via(
      async () => new Response('no streams here', { headers: { 'Content-Type': 'text/html' } }),
    );
    expect(await follow(blocked, task.task_id)).toEqual(['task_created', 1, 'task_failed']);
  });

  it('waits for a platform that restarts', async () => {
    const { task } = await submit();
    await platform.end(task.task_id);
    const restarting = await via(async (stream) => {
      if (stream < 3)
        throw new TypeError('fetch failed', {
          cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
        });
      return undefined;
    });
    expect(await follow(restarting, task.task_id)).toEqual(['task_created', 'task_failed']);
  });

  it('ends at once when there is nothing after its cursor any more', async () => {
    const { task } = await submit();
    await platform.end(task.task_id);
    const { data } = await client.listEvents(task.task_id);
    const rest = [];
    for await (const event of client.streamEvents(task.task_id, { after: data.at(-1)?.event_id ?? '' }))
      rest.push(event);
    expect(rest).toEqual([]);
  });

  it('stops when it is told to', async () => {
    const { task } = await submit();
    const leave = new AbortController();
    const seen: string[] = [];
    const stopped = failureOf(
      (async () => {
        for await (const { event_type } of client.streamEvents(task.task_id, { signal: leave.signal })) {
          seen.push(event_type);
          leave.abort();
        }
      })(),
    );
    expect(await stopped).toMatchObject({ name: 'AbortError' });
    expect(seen).toEqual(['task_created']);
  });

  it('does not wait for what will not change', async () => {
    expect(await failureOf(follow(client, '01ARZ3NDEKTSV4RRFFQ69G5FAV'))).toMatchObject({
      code: 'TASK_NOT_FOUND',
    });
  });
});

describe('loading the client', () => {
  it('loads no server, no schemas and no library', () => {
    const script = `
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
      await import(${JSON.stringify(new URL('../../../src/api/client.ts', import.meta.url).href)});
      console.log(JSON.stringify(loaded));`;
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
    });
    const loaded: string[] = JSON.parse(output).map((url: string) => /src\/(.*)$/.exec(url)?.[1] ?? url);
    expect(loaded.sort()).toEqual([
      'api/client.ts',
      'api/client/http.ts',
      'api/client/webhook-signature.ts',
      'task/errors.ts',
      'task/scopes.ts',
    ]);
  });
});
