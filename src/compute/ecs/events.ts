import { z } from 'zod';
import type { AwsEvent, SessionSignal } from '../signal.ts';

const SESSION_ID = /^[0-9A-HJKMNP-TV-Z]{26}-\d+$/;

const detailSchema = z.object({
  startedBy: z.string().regex(SESSION_ID),
  lastStatus: z.string(),
  containers: z.array(z.object({ lastStatus: z.string().optional() })).default([]),
});

/** "ECS Task State Change" of a session that is over; undefined for everything else. */
export function ecsSignal(event: AwsEvent): SessionSignal | undefined {
  if (event.source !== 'aws.ecs' || event['detail-type'] !== 'ECS Task State Change') return undefined;
  const detail = detailSchema.safeParse(event.detail).data;
  if (!detail) return undefined;
  const isOver =
    detail.lastStatus === 'STOPPED' || detail.containers.some(({ lastStatus }) => lastStatus === 'STOPPED');
  return isOver ? { kind: 'session', type: 'ecs', sessionId: detail.startedBy } : undefined;
}
