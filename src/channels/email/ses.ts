import type { SESv2Client } from '@aws-sdk/client-sesv2';
import type { Transporter } from 'nodemailer';
import { messageOf } from '../../task/errors.ts';
import { MailError, type MailTransport, messageOptions } from './transport.ts';

/** What no retry changes: the mail or an address is refused. A paused account or an unverified domain may be mended by someone. */
const REFUSED: ReadonlySet<string> = new Set(['MessageRejected', 'BadRequestException', 'NotFoundException']);

/** Told to send less. */
const LIMITED: ReadonlySet<string> = new Set(['TooManyRequestsException', 'LimitExceededException']);

/** Wait after being told to send less, in seconds: the service doesn't say how long. */
const LIMITED_SECONDS = 5;

export interface SesOptions {
  region: string;
  /** Default: the service's own address. */
  endpoint?: string;
  /** Default: the usual chain of the SDK. */
  credentials?: { accessKeyId: string; secretAccessKey: string };
}

/** Amazon SES by its v2 API; the mail is composed here, so that Message-ID and References are ours. Loaded at the first mail. */
export function createSesTransport({ region, endpoint, credentials }: SesOptions): MailTransport {
  let transporter: Promise<Transporter> | undefined;

  async function connect(): Promise<Transporter> {
    const [{ createTransport }, { SESv2Client: Client, SendEmailCommand }] = await Promise.all([
      import('nodemailer'),
      import('@aws-sdk/client-sesv2'),
    ]);
    const sesClient: SESv2Client = new Client({
      region,
      maxAttempts: 1,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
    });
    return createTransport({ SES: { sesClient, SendEmailCommand } });
  }

  return {
    async send(envelope) {
      transporter ??= connect();
      try {
        await (await transporter).sendMail(messageOptions(envelope));
      } catch (error) {
        throw mailError(error);
      }
    },
  };
}

function mailError(error: unknown): MailError {
  const name = error instanceof Error ? error.name : '';
  return new MailError(`SES: ${name} ${messageOf(error)}`.slice(0, 500), {
    terminal: REFUSED.has(name),
    cause: error,
    ...(LIMITED.has(name) ? { retryAfterSeconds: LIMITED_SECONDS } : {}),
  });
}
