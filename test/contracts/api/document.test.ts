import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Document,
  documentOf,
  operationsOf,
  resolve,
  type Schema,
} from '../../fixtures/api/document.ts';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';

let platform: TestPlatform;
let document: Document;
beforeAll(async () => {
  platform = await startTestPlatform();
  document = await documentOf(platform.app);
});
afterAll(() => platform.close());

/** Every schema in the document, however deep. */
function* schemasIn(value: unknown): Generator<Schema> {
  if (typeof value !== 'object' || value === null) return;
  yield value as Schema;
  for (const inner of Object.values(value)) yield* schemasIn(inner);
}

describe('/openapi.json', () => {
  it('is an OpenAPI 3.1 document that needs no key', async () => {
    const { status, body } = await request(platform, 'GET', '/openapi.json');
    expect(status).toBe(200);
    expect(body.openapi).toBe('3.1.0');
    expect(body.info).toMatchObject({ title: 'bgagent' });
  });

  it('describes every route of the platform', () => {
    const served = platform.app.routes
      .filter(({ method, path }) => method !== 'ALL' && !['/', '/openapi.json', '/docs'].includes(path))
      .map(({ method, path }) => `${method} ${path.replace(/:([a-z_]+)/g, '{$1}')}`);
    const documented = operationsOf(document).map(({ method, path }) => `${method} ${path}`);
    expect(documented.sort()).toEqual([...new Set(served)].sort());
  });

  it('names each operation once', () => {
    const ids = operationsOf(document).map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('declares what each operation takes and answers', () => {
    for (const { method, path, operation } of operationsOf(document)) {
      const name = `${method} ${path}`;
      const inPath = [...path.matchAll(/\{([a-z_]+)\}/g)].map(([, parameter]) => parameter);
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(declared.map((parameter) => parameter.name).sort(), name).toEqual(inPath.sort());
      expect(
        declared.every(({ required }) => required),
        name,
      ).toBe(true);
      expect(operation.summary, name).toBeTruthy();
      expect(
        Object.keys(operation.responses).some((status) => status.startsWith('2')),
        name,
      ).toBe(true);
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        expect(description, name).toBeTruthy();
        if (Number(status) >= 400)
          expect(content?.['application/json']?.schema, `${name} ${status}`).toEqual({
            $ref: '#/components/schemas/Error',
          });
      }
      for (const way of operation.security ?? [])
        for (const scheme of Object.keys(way))
          expect(document.components.securitySchemes, name).toHaveProperty(scheme);
    }
  });

  it('has no reference that leads nowhere, and no required field that isn’t there', () => {
    for (const schema of schemasIn(document)) {
      if (typeof schema.$ref === 'string') resolve(document, schema);
      if (Array.isArray(schema.required) && schema.properties)
        for (const field of schema.required) expect(Object.keys(schema.properties)).toContain(field);
    }
  });

  it.each([
    'Error',
    'CreateTaskRequest',
    'TaskDetail',
    'TaskSummary',
    'TaskEvent',
    'RepoConfig',
    'ApiKey',
    'Fleet',
  ])('has the shape %s by name', (name) => {
    expect(document.components.schemas).toHaveProperty(name);
  });

  it('shows every field of a task as present', () => {
    const { properties, required } = resolve(document, { $ref: '#/components/schemas/TaskDetail' });
    expect([...(required ?? [])].sort()).toEqual(Object.keys(properties ?? {}).sort());
  });
});

describe('health', () => {
  it('is told without a key', async () => {
    expect((await request(platform, 'GET', '/healthz')).body).toEqual({ data: { status: 'ok' } });
    expect((await request(platform, 'GET', '/readyz')).body).toEqual({ data: { status: 'ready' } });
  });

  it('is not ready when the stores do not answer', async () => {
    const broken = await startTestPlatform();
    broken.deps.stores.tasks.listByStatus = async () => Promise.reject(new Error('disk gone'));
    try {
      const { status, code, text } = await request(broken, 'GET', '/readyz');
      expect([status, code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
      expect(text).not.toContain('disk gone');
    } finally {
      await broken.close();
    }
  });

  it('a crash inside is told in general words, with the reason in the log only', async () => {
    const broken = await startTestPlatform();
    broken.deps.stores.tasks.list = async () => Promise.reject(new Error('secret detail'));
    try {
      const { status, code, text } = await request(broken, 'GET', '/v1/tasks', {
        key: await broken.key('octo'),
      });
      expect([status, code]).toEqual([500, 'INTERNAL_ERROR']);
      expect(text).not.toContain('secret detail');
      expect(broken.logged).toContain('api.request.crashed');
    } finally {
      await broken.close();
    }
  });

  it('the reference page has every operation and schema, and loads and runs nothing', async () => {
    const { status, text, headers } = await request(platform, 'GET', '/docs');
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8']);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    const document = await documentOf(platform.app);
    for (const { operation } of operationsOf(document))
      expect(text).toContain(`id="${operation.operationId}"`);
    for (const name of Object.keys(document.components.schemas))
      expect(text).toContain(`id="schema-${name}"`);
    expect(text).not.toMatch(/<script|<link|<img|<iframe|\ssrc=|@import|url\(|https?:\/\//i);
    const targets = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(targets.filter((id) => !text.includes(`id="${id}"`))).toEqual([]);
  });

  it('the front page says what this is', async () => {
    const { status, text } = await request(platform, 'GET', '/');
    expect(status).toBe(200);
    expect(text).toContain('background coding agents');
  });
});
