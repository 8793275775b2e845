import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';

/** `accept-and-drop`: the mail is taken, and the connection ends before the answer. */
export type MailFault =
  | { at: 'rcpt' | 'data'; code: number; message: string }
  | { at: 'data'; kind: 'accept-and-drop' };

export interface ReceivedMail {
  from: string;
  to: string[];
  /** Names in lower case, folded lines joined. */
  headers: Map<string, string>;
  raw: string;
  /** The parts, decoded: text first. */
  parts: string[];
}

export interface MailServer {
  url: string;
  /** Every mail that was taken, in order. */
  mails: ReceivedMail[];
  /** The next mails meet these, each once. */
  fault(...faults: MailFault[]): void;
  /** Asked at each mail that no planned fault meets. */
  chance: () => MailFault | undefined;
  /** Who logged in. */
  users: string[];
  close(): Promise<void>;
}

/** A real SMTP server on loopback. `login`: who may; everybody without it. */
export async function startMailServer({
  login,
}: {
  login?: { user: string; pass: string };
} = {}): Promise<MailServer> {
  const planned: MailFault[] = [];
  const current = new WeakMap<SMTPServerSession, MailFault | undefined>();
  const refusal = (code: number, message: string): Error =>
    Object.assign(new Error(message), { responseCode: code });

  const smtp = new SMTPServer({
    authOptional: login === undefined,
    allowInsecureAuth: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    closeTimeout: 50,
    onAuth({ username = '', password }, _session, done) {
      if (login && (username !== login.user || password !== login.pass))
        return done(refusal(535, 'bad login'));
      server.users.push(username);
      done(null, { user: username });
    },
    onMailFrom(_address, session, done) {
      current.set(session, planned.shift() ?? server.chance());
      done();
    },
    onRcptTo(_address, session, done) {
      const fault = current.get(session);
      done(fault?.at === 'rcpt' && 'code' in fault ? refusal(fault.code, fault.message) : undefined);
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const fault = current.get(session);
        if (fault?.at === 'data' && 'code' in fault) return done(refusal(fault.code, fault.message));
        const { mailFrom, rcptTo } = session.envelope;
        server.mails.push({
          ...parse(Buffer.concat(chunks).toString()),
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
        });
        if (fault) for (const connection of smtp.connections) connection.close();
        else done();
      });
    },
  });
  // Clients that go away in the middle are no matter.
  smtp.on('error', () => undefined);
  const server: MailServer = {
    url: '',
    mails: [],
    users: [],
    chance: () => undefined,
    fault: (...faults) => void planned.push(...faults),
    close: () => new Promise((closed) => smtp.close(() => closed())),
  };
  smtp.listen(0, '127.0.0.1');
  await once(smtp.server, 'listening');
  server.url = `smtp://127.0.0.1:${(smtp.server.address() as AddressInfo).port}`;
  return server;
}

function parse(raw: string): Pick<ReceivedMail, 'headers' | 'raw' | 'parts'> {
  const [head = ''] = raw.split('\r\n\r\n');
  const headers = new Map(
    head
      .replace(/\r\n[ \t]+/g, ' ')
      .split('\r\n')
      .map(
        (line) =>
          [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const,
      ),
  );
  const boundary = /boundary="?([^";]+)/.exec(headers.get('content-type') ?? '')?.[1];
  const sections = boundary === undefined ? [] : raw.split(`--${boundary}`).slice(1, -1);
  return { raw, headers, parts: sections.map(decodePart) };
}

function decodePart(section: string): string {
  const at = section.indexOf('\r\n\r\n');
  const [head, body] = [section.slice(0, at).toLowerCase(), section.slice(at + 4)];
  if (head.includes('base64')) return Buffer.from(body, 'base64').toString();
  if (!head.includes('quoted-printable')) return body;
  const bytes = body
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}
