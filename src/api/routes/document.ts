import type { ApiApp } from '../env.ts';

const INFO = {
  openapi: '3.1.0',
  info: {
    title: 'bgagent',
    version: '1',
    description: 'Submit tasks to background coding agents, follow them, and administer the platform.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
};

/** `/openapi.json`, generated from the schemas that validate; register it after all other routes. */
export function documentRoute(app: ApiApp): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, or the token of a person who signed in at the OIDC provider of the deployment.',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'webhook', {
    type: 'apiKey',
    in: 'header',
    name: 'X-Webhook-Signature',
    description: 'With X-Webhook-Id: the HMAC of the body by the webhook’s secret.',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'taskToken', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The token of one attempt of one task; runners only.',
  });
  let document: object | undefined;
  app.get('/openapi.json', (c) => {
    document ??= app.getOpenAPI31Document(INFO);
    return c.json(document);
  });
}
