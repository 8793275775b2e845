import type { SentMessageInfo, Transporter } from 'nodemailer';
import type { SecretStore } from '../../stores/secret-store.ts';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import { MailError, type MailTransport, messageOptions } from './transport.ts';

/** Longest silence of the mail server, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Codes of nodemailer for what no retry changes: the mail or an address is refused. */
const REFUSED: ReadonlySet<string> = new Set(['EENVELOPE', 'EMESSAGE', 'ECONTENT']);

/**
 * A mail server by SMTP, `smtp://` (with STARTTLS where the server has it) or `smtps://`. User and password are the secrets
 * SMTP_USER and SMTP_PASSWORD. Loaded at the first mail; a connection for each.
 */
export function createSmtpTransport({
  url,
  secrets,
  timeoutMs = TIMEOUT_MS,
}: {
  url: string | null;
  secrets: Pick<SecretStore, 'get'>;
  timeoutMs?: number;
}): MailTransport {
  let transporter: Promise<Transporter<SentMessageInfo>> | undefined;

  async function connect(): Promise<Transporter<SentMessageInfo>> {
    if (url === null) throw new BgAgentError('CHANNEL_NOT_CONFIGURED', 'setting smtp_url is not set');
    const [{ createTransport }, user, pass] = await Promise.all([
      import('nodemailer'),
      secrets.get('SMTP_USER'),
      secrets.get('SMTP_PASSWORD'),
    ]);
    const { hostname, port, protocol } = new URL(url);
    const secure = protocol === 'smtps:';
    return createTransport({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? (secure ? 465 : 587) : Number(port),
      secure,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      ...(user !== undefined && pass !== undefined ? { auth: { user, pass } } : {}),
      // Nothing of a mail is read from files or fetched.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }

  return {
    async send(envelope) {
      transporter ??= connect();
      let ready: Transporter<SentMessageInfo>;
      try {
        ready = await transporter;
      } catch (error) {
        transporter = undefined;
        throw error;
      }
      try {
        await ready.sendMail(messageOptions(envelope));
      } catch (error) {
        throw mailError(error);
      }
    },
  };
}

/** 5xx for the addresses or the mail is final; for the login it is not (someone may mend the password), nor is any 4xx. */
function mailError(error: unknown): MailError {
  const { code = '', responseCode } = error as { code?: string; responseCode?: number };
  const terminal = REFUSED.has(code) && (responseCode === undefined || responseCode >= 500);
  return new MailError(`mail: ${code} ${messageOf(error)}`.slice(0, 500), { terminal, cause: error });
}
