/** A mail with everything that travels. Headers are single lines. */
export interface Envelope {
  from: string;
  to: readonly string[];
  subject: string;
  text: string;
  html: string;
  /** With its angle brackets: the same for every attempt, so that receivers can drop a second copy. */
  messageId: string;
  /** The id of the mail that the thread hangs on. */
  references: string | null;
}

/**
 * Hands mails to a server. Throws MailError; CHANNEL_NOT_CONFIGURED when settings are missing.
 */
export interface MailTransport {
  send(envelope: Envelope): Promise<void>;
}

/** Why a mail was not taken. */
export class MailError extends Error {
  /** No retry helps: the address or the mail itself was refused. */
  readonly terminal: boolean;
  /** Told to send less: how long to wait. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    message: string,
    { terminal, cause, retryAfterSeconds }: { terminal: boolean; cause: unknown; retryAfterSeconds?: number },
  ) {
    super(message, { cause });
    this.name = 'MailError';
    this.terminal = terminal;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The mail as nodemailer takes it, whatever carries it. */
export const messageOptions = ({ from, to, subject, text, html, messageId, references }: Envelope) => ({
  from,
  to: [...to],
  subject,
  text,
  html,
  messageId,
  ...(references === null ? {} : { references, inReplyTo: references }),
  headers: { 'Auto-Submitted': 'auto-generated' },
});
