// Not by `import`: that would make Node load all that node:http exports, fetch and WebSocket included, for 25 ms.
const { Agent, request: requestHttp } = process.getBuiltinModule('node:http');

/** JSON over HTTP on one kept connection. */
export interface HttpAnswer {
  status: number;
  body: unknown;
}

export interface HttpClient {
  send(method: 'GET' | 'POST', url: URL, token: string, body?: unknown): Promise<HttpAnswer>;
  close(): void;
}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Rejects when there is no whole answer within `timeoutMs`; any status is an answer. */
export function createHttpClient({ timeoutMs }: { timeoutMs: number }): HttpClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  return {
    async send(method, url, token, body) {
      const secure = url.protocol === 'https:';
      const request = secure ? process.getBuiltinModule('node:https').request : requestHttp;
      const text = body === undefined ? undefined : JSON.stringify(body);
      const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
      const outgoing = request(
        url,
        {
          method,
          ...(secure ? {} : { agent }),
          timeout: timeoutMs,
          headers: {
            authorization: `Bearer ${token}`,
            accept: 'application/json',
            ...(text === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          let size = 0;
          incoming.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > MAX_ANSWER_BYTES)
              outgoing.destroy(new Error(`the answer is over ${MAX_ANSWER_BYTES} bytes`));
            else chunks.push(chunk);
          });
          incoming.once('error', reject);
          incoming.once('end', () => {
            try {
              resolve({
                status: incoming.statusCode ?? 0,
                body: JSON.parse(Buffer.concat(chunks).toString('utf8') || 'null'),
              });
            } catch (error) {
              // Something else listens there, or a proxy answers in its place.
              reject(new Error(`status ${incoming.statusCode} without JSON`, { cause: error }));
            }
          });
        },
      );
      outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      outgoing.once('error', reject);
      outgoing.end(text);
      return promise;
    },
    close: () => agent.destroy(),
  };
}
