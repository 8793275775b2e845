import type { ApiApp } from '../env.ts';
import type { ApiDocument } from '../reference/document.ts';

const INFO = {
  openapi: '3.1.0',
  info: {
    title: 'bgagent',
    version: '1',
    description: 'Submit tasks to background coding agents, follow them, and administer the platform.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
};

/** Nothing is loaded and nothing runs: the page is whole. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/** `/openapi.json` and the reference page at `/docs`, generated from the schemas that validate; register it after all other routes. */
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
  let document: ReturnType<ApiApp['getOpenAPI31Document']> | undefined;
  const made = () => {
    document ??= app.getOpenAPI31Document(INFO);
    return document;
  };
  app.get('/openapi.json', (c) => c.json(made()));

  let page: string | undefined;
  app.get('/docs', async (c) => {
    if (page === undefined) {
      const { referencePage } = await import('../reference/page.ts');
      // The types of the library are wider than what it makes of our routes; JSON is what is published.
      page = referencePage(JSON.parse(JSON.stringify(made())) as ApiDocument);
    }
    c.header('Content-Security-Policy', PAGE_POLICY);
    return c.html(page);
  });
}
