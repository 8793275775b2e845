import type { Channel, ChannelMessage } from '../../src/channels/channel.ts';
import { BgAgentError } from '../../src/task/errors.ts';
import type { Fault } from '../contracts/channel.contract.ts';

const ENDS = ['task_completed', 'task_failed', 'task_cancelled', 'task_timed_out'];

export interface RecordingChannel extends Channel {
  /** What was sent, in order. */
  sent: ChannelMessage[];
  /** Every call. */
  calls: string[];
  /** What happens to the next messages. */
  faults: Fault[];
}

/** A channel that keeps its messages. By default it renders what most channels do, for every task. */
export function createRecordingChannel({
  name = 'recording',
  renders = ['task_created', 'session_started', 'pr_created', ...ENDS],
  defaults = renders,
  concurrency = 8,
  wants = () => true,
  deliver = () => undefined,
}: Partial<Pick<Channel, 'name' | 'renders' | 'defaults' | 'concurrency' | 'wants'>> & {
  /** Called before anything else; may throw or take its time. */
  deliver?(message: ChannelMessage): void | Promise<void>;
} = {}): RecordingChannel {
  const slots = new Map<string, string>();
  const channel: RecordingChannel = {
    name,
    renders,
    defaults,
    concurrency,
    wants,
    sent: [],
    calls: [],
    faults: [],
    async deliver(message) {
      channel.calls.push(message.event.event_id);
      await deliver(message);
      const fault = channel.faults.shift();
      if (fault === 'refuse') throw new BgAgentError('CHANNEL_REFUSED', 'no such channel');
      if (fault === 'fail') throw new BgAgentError('CHANNEL_UNAVAILABLE', 'broken pipe');
      if (fault === 'limit')
        throw new BgAgentError('CHANNEL_UNAVAILABLE', 'ratelimited', { retryAfterSeconds: 1 });
      const slot = `${message.task.task_id} ${ENDS.includes(message.type) ? 'terminal' : message.event.event_id}`;
      if (!slots.has(slot)) {
        slots.set(slot, message.event.event_id);
        channel.sent.push(message);
      }
      if (fault === 'lose-answer') throw new BgAgentError('CHANNEL_UNAVAILABLE', 'timed out');
      return { kind: 'sent', note: null };
    },
  };
  return channel;
}
