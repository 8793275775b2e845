import { createHash } from 'node:crypto';
import type { MessageStore } from '../../stores/message-store.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';
import type { ChannelOverrides } from '../../task/notifications.ts';
import type { Channel } from '../channel.ts';
import { RENDERERS, type Renderer } from './render.ts';
import { MailError, type MailTransport } from './transport.ts';

export interface EmailOptions {
  transport: MailTransport;
  messages: MessageStore;
  /** Sender's address; null = not configured. */
  from: string | null;
  /** Who gets mail about every task; a repository's `to` takes their place. */
  to: readonly string[];
  log: Log;
  now(): number;
}

const CHANNEL = 'email';
const TERMINAL_SLOT = 'email_notified_terminal';

/**
 * Tells people by mail: one a slot, a thread a task. A mail server can't be asked what it has taken, so a second attempt after a
 * lost answer may send a mail twice; both have the same Message-ID, by which receivers drop the second.
 */
export function createEmailChannel({ transport, messages, from, to, log, now }: EmailOptions): Channel {
  const renderers: Readonly<Record<string, Renderer>> = RENDERERS;
  const recipients = (overrides: ChannelOverrides): readonly string[] => overrides.to ?? to;

  return {
    name: CHANNEL,
    renders: Object.keys(RENDERERS),
    defaults: ['task_completed', 'task_failed', 'task_timed_out', 'approval_requested'],
    concurrency: 4,
    wants: (_, overrides) => recipients(overrides).length > 0,

    async deliver({ event, type, task, overrides }) {
      const addresses = recipients(overrides);
      const render = renderers[type];
      if (addresses.length === 0 || !render)
        return { kind: 'sent', note: 'nobody is to be told here any more' };
      if (from === null) throw new BgAgentError('CHANNEL_NOT_CONFIGURED', 'setting email_from is not set');
      const slot = type.startsWith('task_') ? TERMINAL_SLOT : `email_${type}_${event.event_id}`;
      const key = { taskId: task.task_id, channel: CHANNEL, slot };
      const known = await messages.list(task.task_id, CHANNEL);
      const before = known.find((one) => one.slot === slot);
      if (before?.ref)
        return {
          kind: 'sent',
          note:
            before.event_id === event.event_id ? null : `event ${before.event_id} has the mail of this slot`,
        };
      // Whoever had the slot was given up without a mail.
      if (before && before.event_id !== event.event_id) await messages.release(key, before.event_id);
      const claimed = await messages.claim(key, event.event_id, now());
      if (claimed.event_id !== event.event_id)
        return { kind: 'sent', note: `event ${claimed.event_id} has the mail of this slot` };

      const messageId = idOf(from, `${task.task_id} ${slot} ${event.event_id}`);
      try {
        await transport.send({
          ...render(event, task),
          from,
          to: addresses,
          messageId,
          references: idOf(from, task.task_id),
        });
      } catch (error) {
        if (!(error instanceof MailError)) throw error;
        const fields = { task_id: task.task_id, type, error: error.message };
        if (!error.terminal) {
          log.warn({ event: 'fanout.email.retryable_error', ...fields }, 'a mail was not taken');
          const { retryAfterSeconds } = error;
          throw new BgAgentError('CHANNEL_UNAVAILABLE', error.message, {
            cause: error,
            ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
          });
        }
        log.warn({ event: 'fanout.email.refused', ...fields }, 'a mail was refused');
        await messages.release(key, event.event_id);
        throw new BgAgentError('CHANNEL_REFUSED', error.message, { cause: error });
      }
      await messages.update(key, event.event_id, { ref: { message_id: messageId }, attempted_at_ms: null });
      return { kind: 'sent', note: null };
    },
  };
}

/** A Message-ID that is always the same for the same thing, in the sender's domain. */
const idOf = (from: string, thing: string): string =>
  `<${createHash('sha256').update(thing).digest('hex').slice(0, 32)}@${from.slice(from.lastIndexOf('@') + 1)}>`;
