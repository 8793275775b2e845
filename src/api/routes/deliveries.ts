import { createRoute } from '@hono/zod-openapi';
import type { Delivery } from '../../stores/delivery-store.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { requires } from '../middleware/requires.ts';
import { pageAnswer } from '../paging.ts';
import {
  type DeliveryDetail,
  deliveryDetailSchema,
  deliveryParams,
  listDeliveriesQuery,
} from '../schemas/deliveries.ts';
import { dataOf, pageOf } from '../schemas/envelope.ts';
import { COMMON_FAILURES, CONFLICT, json, keyWith, NOT_FOUND } from './responses.ts';

/** The ledger of what channels were told, for admins: they are about everybody's tasks. */
export function deliveryRoutes(app: ApiApp, deps: ApiDeps): void {
  const { deliveries } = deps.stores;

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/deliveries',
      operationId: 'listDeliveries',
      summary: 'List deliveries of events to channels, newest event first',
      tags: ['channels'],
      security: keyWith('admin'),
      middleware: [requires(deps, 'admin')] as const,
      request: { query: listDeliveriesQuery },
      responses: { 200: json('Deliveries.', pageOf(deliveryDetailSchema)), ...COMMON_FAILURES },
    }),
    async (c) => {
      const { state, limit, next_token } = c.req.valid('query');
      const { items, nextToken } = await deliveries.list({ state, limit, nextToken: next_token });
      return c.json(pageAnswer(items.map(toDetail), nextToken), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/v1/deliveries/{delivery_id}/replay',
      operationId: 'replayDelivery',
      summary: 'Try a delivery that failed or was given up once more',
      tags: ['channels'],
      security: keyWith('admin'),
      middleware: [requires(deps, 'admin')] as const,
      request: { params: deliveryParams },
      responses: {
        200: json('It is due now.', dataOf(deliveryDetailSchema)),
        ...COMMON_FAILURES,
        ...NOT_FOUND,
        ...CONFLICT,
      },
    }),
    async (c) => c.json({ data: toDetail(await deliveries.replay(c.req.valid('param').delivery_id)) }, 200),
  );
}

const toDetail = ({ event, due_at_ms, created_at_ms, updated_at_ms, ...rest }: Delivery): DeliveryDetail => ({
  ...rest,
  event_id: event.event_id,
  next_attempt_at: due_at_ms === null ? null : new Date(due_at_ms).toISOString(),
  created_at: new Date(created_at_ms).toISOString(),
  updated_at: new Date(updated_at_ms).toISOString(),
});
