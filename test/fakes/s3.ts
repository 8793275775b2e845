import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';

/** A bucket store that speaks as much of S3 as the hand-over of bootstraps needs; signatures are not checked. */
export interface FakeS3 {
  url: string;
  client(): Promise<S3Client>;
  /** By `bucket/key`. */
  readonly objects: ReadonlyMap<string, string>;
  /** How requests are answered; `denied` = 403, `no-bucket` = 404 for the bucket. Default `ok`. */
  mode: 'ok' | 'denied' | 'no-bucket';
  close(): Promise<void>;
}

export async function createFakeS3(): Promise<FakeS3> {
  const objects = new Map<string, string>();
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const s3 = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    maxAttempts: 1,
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url ?? '/', 'http://s3');
    const path = decodeURIComponent(url.pathname.slice(1)).replace(/\/$/, '');
    if (fake.mode === 'denied') return problem(response, 403, 'AccessDenied');
    if (fake.mode === 'no-bucket') return problem(response, 404, 'NoSuchBucket');
    if (!path.includes('/')) return list(response, path, url.searchParams.get('prefix') ?? '');
    const found = objects.get(path);
    if (request.method === 'PUT') {
      objects.set(path, Buffer.concat(chunks).toString('utf8'));
      return void response.writeHead(200, { etag: '"1"' }).end();
    }
    if (request.method === 'DELETE') {
      objects.delete(path);
      return void response.writeHead(204).end();
    }
    if (found === undefined) return problem(response, 404, 'NoSuchKey');
    response.writeHead(200, { 'content-length': Buffer.byteLength(found) });
    response.end(request.method === 'HEAD' ? undefined : found);
  }

  function list(response: ServerResponse, bucket: string, prefix: string): void {
    const keys = [...objects.keys()]
      .map((path) => path.slice(bucket.length + 1))
      .filter((key) => key.startsWith(prefix));
    const contents = keys.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('');
    response
      .writeHead(200, { 'content-type': 'application/xml' })
      .end(
        `<ListBucketResult><Name>${bucket}</Name><IsTruncated>false</IsTruncated>${contents}</ListBucketResult>`,
      );
  }

  const fake: FakeS3 = {
    url: `http://127.0.0.1:${port}`,
    client: async () => s3,
    objects,
    mode: 'ok',
    async close() {
      s3.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

function problem(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}
