import { methodNotAllowed } from 'hono/method-not-allowed';
import { BgAgentError } from '../task/errors.ts';
import { type ApiOptions, withDefaults } from './deps.ts';
import { type ApiApp, createApp } from './env.ts';
import { toErrorResponse } from './errors.ts';
import { hostCheck } from './middleware/host-check.ts';
import { requestId } from './middleware/request-id.ts';
import { requestMetrics } from './middleware/request-metrics.ts';
import { accountLinkRoutes } from './routes/account-links.ts';
import { apiKeyRoutes } from './routes/api-keys.ts';
import { channelRoutes } from './routes/channels.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { documentRoute } from './routes/document.ts';
import { eventRoutes } from './routes/events.ts';
import { fleetRoutes } from './routes/fleet.ts';
import { healthRoutes } from './routes/health.ts';
import { metricsRoute } from './routes/metrics.ts';
import { nudgeRoutes } from './routes/nudge.ts';
import { replayRoutes } from './routes/replay.ts';
import { repoRoutes } from './routes/repos.ts';
import { runnerRoutes } from './routes/runner.ts';
import { submitRoutes } from './routes/submit-task.ts';
import { taskRoutes } from './routes/tasks.ts';
import { textRoutes } from './routes/texts.ts';
import { webhookRoutes } from './routes/webhooks.ts';

/** The HTTP API of a deployment as a Hono app: `app.fetch(request)` answers a request. */
export function createApi(options: ApiOptions): ApiApp {
  const deps = withDefaults(options);
  const { newId, settings, log } = deps;
  const app = createApp();

  app.use(requestId(newId));
  app.use(requestMetrics(deps.metrics));
  app.use(hostCheck([settings.host, ...settings.allowed_hosts, ...publicHost(settings.public_url)]));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        c.header('Allow', methods.join(', '));
        const message = `${c.req.path} takes ${methods.join(', ')}, not ${c.req.method}`;
        return toErrorResponse(new BgAgentError('METHOD_NOT_ALLOWED', message), c, log);
      },
    }),
  );

  healthRoutes(app, deps);
  submitRoutes(app, deps);
  taskRoutes(app, deps);
  nudgeRoutes(app, deps);
  eventRoutes(app, deps);
  textRoutes(app, deps);
  replayRoutes(app, deps);
  repoRoutes(app, deps);
  apiKeyRoutes(app, deps);
  webhookRoutes(app, deps);
  fleetRoutes(app, deps);
  runnerRoutes(app, deps);
  metricsRoute(app, deps);
  channelRoutes(app, deps);
  deliveryRoutes(app, deps);
  accountLinkRoutes(app, deps);
  documentRoute(app);

  app.notFound((c) =>
    toErrorResponse(new BgAgentError('ROUTE_NOT_FOUND', `no ${c.req.path.slice(0, 200)} here`), c, log),
  );
  app.onError((error, c) => toErrorResponse(error, c, log));
  return app;
}

const publicHost = (url: string | null): string[] => (url === null ? [] : [new URL(url).hostname]);
