import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUlid } from '../../../src/task/ids.ts';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';

let platform: TestPlatform;
let key: string;
beforeAll(async () => {
  platform = await startTestPlatform({ settings: { allowed_hosts: ['agents.example.com'] } });
  key = await platform.key('octo', ['admin']);
});
afterAll(() => platform.close());

/** Sends bytes as they are and reads until the other side closes. */
function exchange(...parts: (string | Buffer)[]): Promise<string> {
  const { port } = new URL(platform.url);
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(port), '127.0.0.1', () => {
      for (const part of parts) socket.write(part);
    });
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    // What was answered before a reset counts.
    socket.on('error', () => resolve(answer));
    socket.on('close', () => resolve(answer));
  });
}

const get = (path: string, ...headers: string[]) =>
  exchange([`GET ${path} HTTP/1.1`, 'Connection: close', ...headers, '', ''].join('\r\n'));

/** Status and envelope of a raw answer. */
function read(answer: string): { status: number; code: string; message: string } {
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  const body = /\{.*\}/s.exec(rest.join('\r\n\r\n'))?.[0] ?? '';
  const { error } = JSON.parse(body);
  expect(isUlid(error.request_id)).toBe(true);
  expect(head.toLowerCase()).toContain(`x-request-id: ${error.request_id.toLowerCase()}`);
  return { status: Number(head.split(' ')[1]), code: error.code, message: error.message };
}

describe('broken bodies', () => {
  it.each([
    ['nothing', ''],
    ['no JSON', '{nonsense'],
    ['half of it', '{"repo": "octo/hel'],
    ['a number', '7'],
    ['null', 'null'],
    ['a list', '[]'],
    ['text', '"repo"'],
    ['deep nesting', `{"repo": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
    ['a prototype', '{"__proto__": {"repo": "octo/hello"}, "constructor": {}}'],
    [
      'a number beyond all bounds',
      '{"repo": "/srv/git/hello.git", "task_description": "x", "max_turns": 1e400}',
    ],
    ['a lone surrogate', '{"repo": "/srv/git/hello.git", "task_description": "\\ud800"}'],
  ])('%s: 400', async (_what, raw) => {
    const { status, code } = await request(platform, 'POST', '/v1/tasks', { key, raw });
    expect([status, code]).toEqual([400, 'VALIDATION_ERROR']);
  });

  it('bytes that are no UTF-8: 400', async () => {
    const raw = new Uint8Array([0xff, 0xfe, 0x7b, 0x00]);
    expect((await request(platform, 'POST', '/v1/tasks', { key, raw })).status).toBe(400);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'nonsense',
    '',
  ])('of type %j: 415', async (type) => {
    const { status, code } = await request(platform, 'POST', '/v1/tasks', {
      key,
      raw: '{}',
      headers: { 'Content-Type': type },
    });
    expect([status, code]).toEqual([415, 'VALIDATION_ERROR']);
  });

  it('compressed: 415', async () => {
    const { status } = await request(platform, 'POST', '/v1/tasks', {
      key,
      raw: '{}',
      headers: { 'Content-Encoding': 'gzip' },
    });
    expect(status).toBe(415);
  });

  it('of 10 MB: 413, before they are read', async () => {
    const raw = new Uint8Array(10_000_000).fill(32);
    const { status, code, body } = await request(platform, 'POST', '/v1/tasks', { key, raw });
    expect([status, code]).toEqual([413, 'VALIDATION_ERROR']);
    expect(body.error.message).toContain('1,000,000');
    const head = `POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${key}\r\nContent-Type: application/json\r\n`;
    // Not a byte of the body is sent.
    const answer = await exchange(`${head}Content-Length: 10000000\r\nConnection: close\r\n\r\n`);
    expect(read(answer).status).toBe(413);
  });

  it('that grow without saying how large they are: 413 as soon as they are too large', async () => {
    const head = `POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${key}\r\nContent-Type: application/json\r\nConnection: close\r\n`;
    const chunk = Buffer.alloc(100_000, ' ');
    const chunks = Array.from({ length: 20 }, () => [
      `${chunk.length.toString(16)}\r\n`,
      chunk,
      '\r\n',
    ]).flat();
    const answer = await exchange(`${head}Transfer-Encoding: chunked\r\n\r\n`, ...chunks);
    expect(read(answer).status).toBe(413);
  });

  it.each(['Content-Length: 2000000', 'Transfer-Encoding: chunked'])(
    'that are refused while a client that wants to close still sends them (%s): it is not cut off',
    async (length) => {
      const { hostname, port } = new URL(platform.url);
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
      const head = ['POST /v1/tasks HTTP/1.1', 'Host: localhost', 'Connection: close', length, '', ''];
      socket.write(head.join('\r\n'));
      const [answer] = await once(socket, 'data');
      expect(read(String(answer)).status).toBe(401);
      socket.on('error', () => undefined); // Each write says so itself.
      const part = Buffer.from(`186a0\r\n${' '.repeat(100_000)}\r\n`);
      for (let sent = 0; sent < 10; sent += 1)
        await new Promise<void>((resolve, reject) => {
          socket.write(part, (error) => (error ? reject(error) : resolve()));
        });
      socket.destroy();
    },
  );

  it('of a user without a key: 401, unread', async () => {
    const answer = await exchange(
      'POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\nConnection: close\r\n\r\n',
    );
    expect(read(answer).status).toBe(401);
  });
});

describe('broken addresses', () => {
  it.each([
    ['GET', '/v2/tasks', 404, 'ROUTE_NOT_FOUND'],
    ['GET', '/v1', 404, 'ROUTE_NOT_FOUND'],
    ['GET', '/v1/tasks/', 404, 'ROUTE_NOT_FOUND'],
    ['GET', '//v1/tasks', 404, 'ROUTE_NOT_FOUND'],
    ['POST', '/v1/nothing', 404, 'ROUTE_NOT_FOUND'],
    ['POST', '/v1/tasks/01ARZ3NDEKTSV4RRFFQ69G5FAV/nothing', 404, 'ROUTE_NOT_FOUND'],
    ['GET', '/v1/repos/octo/hello', 404, 'ROUTE_NOT_FOUND'],
    ['PATCH', '/v1/tasks', 405, 'METHOD_NOT_ALLOWED'],
    ['DELETE', '/v1/tasks', 405, 'METHOD_NOT_ALLOWED'],
    ['OPTIONS', '/v1/tasks', 405, 'METHOD_NOT_ALLOWED'],
    ['PROPFIND', '/v1/tasks', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/healthz', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/v1/tasks/01ARZ3NDEKTSV4RRFFQ69G5FAV/retry', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/v1/tasks/latest', 400, 'VALIDATION_ERROR'],
    ['GET', '/v1/tasks/01arz3ndektsv4rrffq69g5fav', 400, 'VALIDATION_ERROR'],
    ['GET', '/v1/tasks/%00', 400, 'VALIDATION_ERROR'],
    ['GET', '/v1/tasks/%ff%fe', 400, 'VALIDATION_ERROR'],
    ['GET', '/v1/tasks/%', 400, 'VALIDATION_ERROR'],
    ['GET', '/v1/tasks/%zz', 400, 'VALIDATION_ERROR'],
    ['GET', `/v1/tasks/${'x'.repeat(8_000)}`, 400, 'VALIDATION_ERROR'],
    ['GET', '/v1/tasks?next_token=%', 400, 'VALIDATION_ERROR'],
    ['GET', "/v1/tasks?repo=';DROP TABLE tasks--", 400, 'VALIDATION_ERROR'],
  ])('%s %s: %d', async (method, path, status, code) => {
    const answer = await request(platform, method, path, { key });
    expect([answer.status, answer.code]).toEqual([status, code]);
    if (status === 405) expect(answer.headers.get('allow')).toMatch(/GET|POST/);
  });

  it.each(['/v1/tasks/..%2f..', '/v1/tasks\\..', '*', 'http://', 'nonsense', '/v1/tasks/\u0001'])(
    'raw %j is answered in the envelope',
    async (path) => {
      const { status } = read(await get(path, 'Host: localhost', `X-API-Key: ${key}`));
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
    },
  );
});

describe('broken headers', () => {
  it.each([
    ['no HTTP', ['hello\r\n\r\n'], 400],
    ['no colon', ['GET / HTTP/1.1\r\nHost localhost\r\n\r\n'], 400],
    ['a version of the future', ['GET / HTTP/9.9\r\nHost: localhost\r\n\r\n'], 400],
    ['20 KB of headers', [`GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`], 431],
    [
      'two lengths',
      ['POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
      400,
    ],
    ['a negative length', ['POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n'], 400],
    [
      'an expectation',
      ['POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: miracles\r\n\r\n'],
      417,
    ],
    ['a NUL', ['GET / HTTP/1.1\r\nHost: localhost\r\nX-A: \u0000\r\n\r\n'], 400],
    ['no Host', ['GET /v1/tasks HTTP/1.1\r\nConnection: close\r\n\r\n'], 400],
    ['no Host in HTTP/1.0', ['GET /v1/tasks HTTP/1.0\r\n\r\n'], 400],
  ])('%s: the envelope', async (_what, parts, status) => {
    expect(read(await exchange(...parts)).status).toBe(status);
  });

  it('TRACE and CONNECT get nowhere', async () => {
    const trace = await exchange('TRACE /v1/tasks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(read(trace).status).toBe(405);
    expect(await exchange('CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n')).not.toContain(
      '200',
    );
  });

  it('a request id of the caller is not taken over', async () => {
    const { headers } = await request(platform, 'GET', '/healthz', { headers: { 'X-Request-Id': 'forged' } });
    expect(headers.get('x-request-id')).not.toBe('forged');
  });
});

describe('a web page of another site (DNS rebinding)', () => {
  const withHost = async (host: string, ...headers: string[]) => {
    const answer = await get('/v1/tasks', `Host: ${host}`, `X-API-Key: ${key}`, ...headers);
    return Number(answer.split(' ')[1]);
  };

  it.each([
    'localhost',
    'localhost:7788',
    'LOCALHOST',
    '127.0.0.1:80',
    '[::1]:7788',
    '192.168.0.7',
    'agents.example.com',
  ])('Host %s is served', async (host) => {
    expect(await withHost(host)).toBe(200);
  });

  it.each([
    'evil.example.com',
    'localhost.evil.example.com',
    '127.0.0.1.nip.io:7788',
    'evil',
    'localhost:port',
    '127.1',
    '0x7f000001',
    'localhost@evil.example.com',
    '[::1',
    '',
  ])('Host %j is not', async (host) => {
    expect([400, 403]).toContain(await withHost(host));
  });

  it.each([
    ['http://localhost:7788', 200],
    ['http://localhost', 403],
    ['https://evil.example.com', 403],
    ['null', 403],
    ['', 403],
    ['file://', 403],
  ])('Origin %j: %d', async (origin, status) => {
    expect(await withHost('localhost:7788', `Origin: ${origin}`)).toBe(status);
  });
});

describe('nothing', () => {
  it('of all this was a crash', () => {
    expect(platform.logged).not.toContain('api.request.crashed');
    expect(platform.logged).not.toContain('api.server.crashed');
  });
});
