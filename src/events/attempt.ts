import type { Channel } from '../channels/channel.ts';
import type { Delivery, DeliveryResult } from '../stores/delivery-store.ts';
import type { Stores } from '../stores/stores.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { Log } from '../task/log.ts';
import { type Backoff, pauseMs } from './backoff.ts';
import { overridesFor } from './routing.ts';

export interface AttemptDeps {
  stores: Pick<Stores, 'tasks' | 'repos'>;
  log: Log;
  now(): number;
  /** From 0 to 1. */
  random(): number;
  backoff: Backoff;
  /** Failures after which a delivery is dead. Being told to wait is none. */
  maxFailures: number;
}

/** Longest note that the ledger keeps, in characters. */
const NOTE_CHARS = 500;

/** Tries a claimed delivery once and says what the ledger is to write. Never throws for the channel's own failures. */
export async function attempt(
  deps: AttemptDeps,
  channel: Pick<Channel, 'name' | 'deliver'>,
  delivery: Delivery,
): Promise<DeliveryResult> {
  const { stores, now } = deps;
  const task = await stores.tasks.get(delivery.task_id);
  if (!task) return { kind: 'failed', note: 'the task is gone' };
  const repo = await stores.repos.get(task.repo);
  const { overrides } = overridesFor(channel.name, { task, repo });
  try {
    const answer = await channel.deliver({ event: delivery.event, type: delivery.type, task, overrides });
    if (answer.kind === 'sent') return { kind: 'sent', note: answer.note };
    const note = 'waits for the pace of the channel';
    return { kind: 'retry', dueAtMs: Math.max(now(), answer.untilMs), note, countsAsFailure: false };
  } catch (error) {
    return judge(deps, delivery, error);
  }
}

/** Terminal, retryable, or given up. Told to wait (with a time) is never given up: no rate cap loses a message (F7). */
function judge(deps: AttemptDeps, delivery: Delivery, error: unknown): DeliveryResult {
  const { log, now, random, backoff, maxFailures } = deps;
  const note = messageOf(error).slice(0, NOTE_CHARS);
  const known = error instanceof BgAgentError ? error : undefined;
  const fields = {
    delivery_id: delivery.delivery_id,
    task_id: delivery.task_id,
    channel: delivery.channel,
    type: delivery.type,
    attempts: delivery.attempts,
    error: note,
  };
  if (known?.code === 'CHANNEL_REFUSED') {
    log.warn({ event: 'fanout.delivery.failed', ...fields, retryable: false }, 'a channel refused a message');
    return { kind: 'failed', note };
  }
  const retryAfterSeconds = known?.retryAfterSeconds;
  const failures = delivery.failures + 1;
  if (retryAfterSeconds === undefined && failures >= maxFailures) {
    log.error(
      { event: 'fanout.delivery.dead', error_id: 'FANOUT_DELIVERY_DEAD', ...fields },
      'a message was given up; `bgagent deliveries replay` tries it again',
    );
    return { kind: 'dead', note };
  }
  const waitMs = pauseMs(backoff, { failures: delivery.failures, retryAfterSeconds, random });
  const retry = { event: 'fanout.dispatcher.rejected', ...fields, retryable: true, wait_ms: waitMs };
  if (known?.code === 'CHANNEL_NOT_CONFIGURED')
    log.error({ ...retry, error_id: 'FANOUT_CHANNEL_NOT_CONFIGURED' }, 'a channel lacks a setting');
  else
    log.warn(
      { ...retry, ...(retryAfterSeconds === undefined ? {} : { retry_after_seconds: retryAfterSeconds }) },
      'a delivery is tried again',
    );
  return { kind: 'retry', dueAtMs: now() + waitMs, note, countsAsFailure: retryAfterSeconds === undefined };
}
