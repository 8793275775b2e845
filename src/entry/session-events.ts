import { ec2Signal } from '../compute/ec2/events.ts';
import { ecsSignal } from '../compute/ecs/events.ts';
import { eventSchema, type SessionSignal } from '../compute/signal.ts';
import { messageOf } from '../task/errors.ts';
import type { Log } from '../task/log.ts';

/** What is done when AWS tells of a session or a machine. Each may be called twice, late, and in any order. */
export interface SessionEventActions {
  /** Wakes the workflow of a task. */
  wake(taskId: string): Promise<void>;
  /** Learns how a session is now, before anyone asks. */
  refresh(session: { type: string; id: string; ref: null }): Promise<unknown>;
  /** Looks at the fleet once. */
  lookAtFleet(change: Extract<SessionSignal, { kind: 'fleet' }>): Promise<void>;
}

/**
 * Takes an event of EventBridge, from a Lambda's argument or a queue, and completes what is parked on it at once. Returns what it
 * meant; undefined for events that mean nothing here. Throws when an action fails: the event is to be delivered again.
 */
export function createSessionEventHandler({
  actions,
  log,
}: {
  actions: SessionEventActions;
  log: Pick<Log, 'warn' | 'info'>;
}): (event: unknown) => Promise<SessionSignal | undefined> {
  return async (event) => {
    const signal = signalOf(event);
    if (!signal) return undefined;
    log.info({ event: 'entry.session_event', ...signal }, 'AWS tells of a session');
    if (signal.kind === 'fleet') {
      await actions.lookAtFleet(signal);
      return signal;
    }
    const { type, sessionId } = signal;
    await actions.refresh({ type, id: sessionId, ref: null }).catch((error: unknown) => {
      // The workflow asks again when it's awake.
      log.warn(
        { event: 'entry.session_event.refresh_failed', session_id: sessionId, error: messageOf(error) },
        'could not look at a session that AWS tells of',
      );
    });
    await actions.wake(sessionId.slice(0, sessionId.lastIndexOf('-')));
    return signal;
  };
}

/** The pure part. */
export function signalOf(event: unknown): SessionSignal | undefined {
  const known = eventSchema.safeParse(event).data;
  return known && (ecsSignal(known) ?? ec2Signal(known));
}
