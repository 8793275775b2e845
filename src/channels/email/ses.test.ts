import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSesTransport } from './ses.ts';
import type { Envelope } from './transport.ts';

let server: Server;
let endpoint: string;
/** What arrived at the service. */
let requests: { path: string; body: { Content?: { Raw?: { Data?: string } }; Destination?: unknown } }[];
/** What it answers next. */
let answer: { status: number; type?: string };

beforeAll(async () => {
  server = createServer(async (request, response) => {
    requests.push({ path: request.url ?? '', body: JSON.parse(await text(request)) });
    const { status, type } = answer;
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(type === undefined ? {} : { 'x-amzn-errortype': type }),
    });
    response.end(JSON.stringify(status === 200 ? { MessageId: 'ses-1' } : { message: 'because' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((closed) => server.close(closed)));
beforeEach(() => {
  requests = [];
  answer = { status: 200 };
});

const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret-value' };
const send = (more: Partial<Envelope> = {}): Promise<void> =>
  createSesTransport({ region: 'eu-west-1', endpoint, credentials }).send({
    from: 'bgagent@example.com',
    to: ['team@example.com'],
    subject: 'Done',
    text: 'Done.',
    html: '<p>Done.</p>',
    messageId: '<1@example.com>',
    references: '<thread@example.com>',
    ...more,
  });

describe('SES (M1)', () => {
  it('gets the mail as we compose it', async () => {
    await send({ subject: 'Done\r\nBcc: victim@example.com' });
    const [request] = requests;
    expect(request?.path).toBe('/v2/email/outbound-emails');
    const raw = Buffer.from(request?.body.Content?.Raw?.Data ?? '', 'base64').toString();
    expect(raw).toContain('Message-ID: <1@example.com>');
    expect(raw).toContain('References: <thread@example.com>');
    expect(raw).not.toMatch(/^Bcc:/im);
    expect(request?.body.Destination).toEqual({ ToAddresses: ['team@example.com'] });
  });

  it.each([
    [400, 'MessageRejected', true, undefined],
    [400, 'BadRequestException', true, undefined],
    [400, 'MailFromDomainNotVerifiedException', false, undefined],
    [400, 'AccountSuspendedException', false, undefined],
    [400, 'SendingPausedException', false, undefined],
    [429, 'TooManyRequestsException', false, 5],
    [400, 'LimitExceededException', false, 5],
    [503, 'ServiceUnavailable', false, undefined],
  ])('%i %s: terminal is %s', async (status, type, terminal, retryAfterSeconds) => {
    answer = { status, type };
    await expect(send()).rejects.toMatchObject({ terminal, retryAfterSeconds });
    expect(requests).toHaveLength(1);
  });

  it('that can’t be reached is tried again later', async () => {
    const lost = createSesTransport({ region: 'eu-west-1', endpoint: 'http://127.0.0.1:1', credentials });
    const mail = {
      from: 'a@example.com',
      to: ['b@example.com'],
      subject: '',
      text: '',
      html: '',
      references: null,
    };
    await expect(lost.send({ ...mail, messageId: '<1@example.com>' })).rejects.toMatchObject({
      terminal: false,
    });
  });
});
