import { createRoute, z } from '@hono/zod-openapi';
import { ACTIVE_STATUSES } from '../../task/status.ts';
import { maySee } from '../access.ts';
import { hasScope } from '../api-keys.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { requires } from '../middleware/requires.ts';
import { dataOf } from '../schemas/envelope.ts';
import { type Fleet, fleetSchema } from '../schemas/fleet.ts';
import { COMMON_FAILURES, json, keyWith } from './responses.ts';

/** Tasks shown at most. */
const LIMIT = 1_000;

/** Which process runs an attempt: the sessions tell that already. */
const RUNNER_LEASES = 'runner/';

/** What runs where, what waits, and what waits for a person. */
export function fleetRoutes(app: ApiApp, deps: ApiDeps): void {
  const { stores, settings, now, computes, instances } = deps;

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/fleet',
      operationId: 'getFleet',
      summary: 'Show sessions, queue and capacity',
      tags: ['platform'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read')] as const,
      responses: { 200: json('The fleet.', dataOf(fleetSchema)), ...COMMON_FAILURES },
    }),
    async (c) => {
      const principal = c.get('principal');
      const isAdmin = hasScope(principal, 'admin');
      const [active, queued, leases, machines] = await Promise.all([
        stores.tasks.listByStatus(ACTIVE_STATUSES, LIMIT),
        stores.tasks.listByStatus(['QUEUED'], LIMIT),
        isAdmin ? stores.leases.list('') : [],
        isAdmin ? instances() : [],
      ]);
      const data: Fleet = {
        sessions: active
          .filter((task) => maySee(principal, task.user_id))
          .flatMap(({ session, ...task }) =>
            session === null
              ? []
              : [
                  {
                    task_id: task.task_id,
                    repo: task.repo,
                    user_id: task.user_id,
                    status: task.status,
                    session_id: session.id,
                    compute_type: session.type,
                    instance_type: task.instance_type,
                    attempt: task.attempt,
                    started_at: task.started_at,
                    last_heartbeat_at: task.last_heartbeat_at,
                  },
                ],
          ),
        queue: { length: queued.length, oldest_queued_at: queued[0]?.queued_at ?? null },
        capacity: {
          active: active.length,
          max_active_system: settings.max_active_system,
          max_active_per_user: settings.max_active_per_user,
          computes: computes.map(({ type, maxSessions }) => ({
            compute_type: type,
            max_sessions: maxSessions,
          })),
        },
        instances: machines.map(({ instanceId, pool, phase, sinceMs, sessionId, reason }) => ({
          instance_id: instanceId,
          pool,
          phase,
          since: new Date(sinceMs).toISOString(),
          session_id: sessionId,
          reason,
        })),
        leases: leases
          .filter(({ name, expiresAtMs }) => expiresAtMs > now() && !name.startsWith(RUNNER_LEASES))
          .map(({ name, owner, expiresAtMs }) => ({
            name,
            owner,
            expires_at: new Date(expiresAtMs).toISOString(),
          })),
      };
      return c.json({ data }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/pending',
      operationId: 'listPending',
      summary: 'List what waits for a person to decide',
      tags: ['tasks'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read')] as const,
      responses: {
        200: json(
          'Nothing waits: approvals are not part of this version.',
          dataOf(z.object({ pending: z.array(z.unknown()) })),
        ),
        ...COMMON_FAILURES,
      },
    }),
    (c) => c.json({ data: { pending: [] } }, 200),
  );
}
