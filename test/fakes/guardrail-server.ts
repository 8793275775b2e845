import { createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { rate } from '../../src/policy/rules-screen.ts';

export interface GuardrailServer {
  url: string;
  /** The texts that it was asked about, in order. */
  texts: string[];
  /** Refuses the next calls with this error and status. */
  failNext(times: number, error: { status: number; name: string; message: string }): void;
  close(): Promise<void>;
}

/** Most characters that the service judges in one call. */
const CALL_LIMIT = 25_000;

/**
 * The one call of Amazon Bedrock's guardrails that screens make, with its limits. It judges by the rules, and answers in the
 * shape that a guardrail with the input strength MEDIUM does: LOW is said, but not blocked. Like the SDK it speaks HTTP/2.
 */
export async function startGuardrailServer(): Promise<GuardrailServer> {
  const texts: string[] = [];
  const failures: { status: number; name: string; message: string }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const refuse = ({ status, name, message }: { status: number; name: string; message: string }) =>
      response
        .writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': name })
        .end(JSON.stringify({ message }));
    const failure = failures.shift();
    if (failure) return refuse(failure);
    const path = /^\/guardrail\/([a-z0-9]+)\/version\/(\d+)\/apply$/.exec(request.url ?? '');
    if (path?.[1] !== 'gr1')
      return refuse({ status: 404, name: 'ResourceNotFoundException', message: 'no such guardrail' });
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
    const text = textOf(body);
    if (text.length > CALL_LIMIT)
      return refuse({ status: 400, name: 'ValidationException', message: 'too many text units' });
    texts.push(text);
    const confidence = rate(text);
    const blocked = confidence === 'MEDIUM' || confidence === 'HIGH';
    return response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        action: blocked ? 'GUARDRAIL_INTERVENED' : 'NONE',
        usage: { contentPolicyUnits: Math.ceil(text.length / 1_000) },
        outputs: blocked ? [{ text: 'Sorry, blocked.' }] : [],
        assessments: confidence
          ? [
              {
                contentPolicy: {
                  filters: [
                    {
                      type: 'PROMPT_ATTACK',
                      confidence,
                      filterStrength: 'MEDIUM',
                      action: blocked ? 'BLOCKED' : 'NONE',
                    },
                  ],
                },
              },
            ]
          : [],
      }),
    );
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    texts,
    failNext: (times, error) => void failures.push(...Array.from({ length: times }, () => error)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
      }),
  };
}

function textOf(body: unknown): string {
  const content = typeof body === 'object' && body !== null && 'content' in body ? body.content : undefined;
  const [first]: unknown[] = Array.isArray(content) ? content : [];
  const text = typeof first === 'object' && first !== null && 'text' in first ? first.text : undefined;
  return typeof text === 'object' && text !== null && 'text' in text ? String(text.text) : '';
}
