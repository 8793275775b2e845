import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One address for several fakes of AWS, as an emulator has: what is asked says whose it is. */
export async function createAwsFront(fakes: {
  s3: { url: string };
  ecs?: { url: string };
  agentCore?: { url: string };
  /** An emulator's, which keeps queues. */
  sqs?: { url: string };
}): Promise<{ url: string; close(): Promise<void> }> {
  function targetOf({ headers, url }: IncomingMessage): string {
    const target = String(headers['x-amz-target'] ?? '');
    if (target.includes('EC2ContainerService') && fakes.ecs) return fakes.ecs.url;
    if (target.includes('AmazonSQS') && fakes.sqs) return fakes.sqs.url;
    if (url?.startsWith('/runtimes/') && fakes.agentCore) return fakes.agentCore.url;
    return fakes.s3.url;
  }
  function pass(incoming: IncomingMessage, response: ServerResponse): void {
    const outgoing = send(
      new URL(incoming.url ?? '/', targetOf(incoming)),
      { method: incoming.method, headers: incoming.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    outgoing.once('error', () => response.destroy());
    incoming.pipe(outgoing);
  }
  const server = createServer(pass);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
