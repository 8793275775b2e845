import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** AWS STS on loopback: AssumeRole of its query protocol, and nothing else. */
export interface StsServer {
  url: string;
  /** The forms that were sent, with the key that signed each as `signedBy`. */
  readonly requests: readonly Record<string, string>[];
  /** Answers to the next calls, in order, in place of keys. */
  refuse(...errors: { status: number; code: string; message: string }[]): void;
  close(): Promise<void>;
}

/** Its keys are numbered from 1 and end `lifetimeMs` after `now`. */
export async function createStsServer({
  now,
  lifetimeMs = 3_600_000,
}: {
  now(): number;
  lifetimeMs?: number;
}): Promise<StsServer> {
  const requests: Record<string, string>[] = [];
  const errors: { status: number; code: string; message: string }[] = [];
  let given = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString('utf8')));
    const signedBy = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
    requests.push({ ...form, signedBy });
    const error =
      form.Action === 'AssumeRole'
        ? errors.shift()
        : { status: 400, code: 'InvalidAction', message: `no action ${form.Action}` };
    const [status, body] = error ? [error.status, refusal(error)] : [200, keys(++given)];
    response.writeHead(status, { 'content-type': 'text/xml' }).end(body);
  });
  const keys = (n: number): string =>
    `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAEXAMPLE${n}</AccessKeyId><SecretAccessKey>role-secret-${n}</SecretAccessKey>
<SessionToken>role-session-${n}</SessionToken><Expiration>${new Date(now() + lifetimeMs).toISOString()}</Expiration>
</Credentials></AssumeRoleResult><ResponseMetadata><RequestId>fake</RequestId></ResponseMetadata></AssumeRoleResponse>`;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    refuse: (...more) => void errors.push(...more),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const refusal = ({ code, message }: { code: string; message: string }): string =>
  `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code>
<Message>${message}</Message></Error><RequestId>fake</RequestId></ErrorResponse>`;
