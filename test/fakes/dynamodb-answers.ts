import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is answered to one request; `lost` = the connection ends without a word, after the request was taken in. */
export type ScriptedAnswer = { status: number; body: unknown } | 'lost';

/** A DynamoDB endpoint that answers as it is told, for what no emulator does: refusals, conflicts, lost answers. */
export interface ScriptedDynamoDb {
  url: string;
  /** Action and body of every request so far. */
  readonly requests: readonly { action: string; body: Record<string, unknown> }[];
  /** The next answers, in order; the last one is repeated. */
  script(...answers: ScriptedAnswer[]): void;
  close(): Promise<void>;
}

export const refusal = (name: string, extra: Record<string, unknown> = {}): ScriptedAnswer => ({
  status: 400,
  body: { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: 'as AWS says', ...extra },
});

export async function startScriptedDynamoDb(): Promise<ScriptedDynamoDb> {
  const requests: { action: string; body: Record<string, unknown> }[] = [];
  let answers: ScriptedAnswer[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const action = String(request.headers['x-amz-target']).split('.')[1] ?? '';
      requests.push({ action, body: JSON.parse(body) });
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer === 'lost' || answer === undefined) {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    script(...next) {
      answers = next;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
