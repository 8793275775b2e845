import { z } from 'zod';

/** What an event of AWS means for sessions. Pure mappings are beside each backend (`<backend>/events.ts`). */
export type SessionSignal =
  /** The session has come to an end, or is about to: look at once. */
  | { kind: 'session'; type: string; sessionId: string }
  /** Something happened to a machine of the fleet: look at the fleet. */
  | { kind: 'fleet'; instanceId: string; what: FleetChange };

export type FleetChange =
  | 'launching'
  | 'terminating'
  | 'command-ended'
  | 'interruption'
  | 'rebalance'
  | 'state-changed';

/** The envelope of EventBridge, as far as it is used. */
export const eventSchema = z.object({
  source: z.string(),
  'detail-type': z.string(),
  detail: z.record(z.string(), z.unknown()),
});
export type AwsEvent = z.infer<typeof eventSchema>;
