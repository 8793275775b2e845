import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Document,
  documentOf,
  type Operation,
  operationsOf,
  resolve,
  type Schema,
} from '../../fixtures/api/document.ts';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';
import { aTask } from '../../fixtures/task.ts';

let platform: TestPlatform;
let document: Document;
let key: string;
let token: string;
let taskId: string;
beforeAll(async () => {
  platform = await startTestPlatform({ cancelWaitMs: 0, settings: { submit_rate_per_min: 1_000_000 } });
  document = await documentOf(platform.app);
  key = await platform.key('octo', ['admin']);
  taskId = platform.deps.newId();
  await platform.deps.stores.tasks.create(aTask({ task_id: taskId }), []);
  token = await platform.token({ task_id: taskId, attempt: 1 });
});
afterAll(() => platform.close());

const ODD_TEXT = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 40 }),
  fc.constantFrom(
    '',
    '\u0000',
    '\ud800',
    '../../etc',
    '%00',
    'null',
    '-1',
    '1e999',
    "'; DROP TABLE tasks; --",
    'x'.repeat(20_000),
  ),
);
const ODD_VALUE = fc.oneof(
  fc.jsonValue(),
  ODD_TEXT,
  fc.constantFrom(-1, 0, 1e308, 2 ** 53, 0.1, null, true, [], {}),
);

/** Texts that mean something somewhere. */
const plausible = () =>
  fc.constantFrom(
    '/srv/git/hello.git',
    'https://example.com/hello.git',
    'octo/hello',
    'Add a greeting',
    taskId,
    'command',
    'local',
  );

/** Values near a schema: mostly what it wants, now and then anything. */
function near(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 15, arbitrary: wanted(resolve(document, schema)) },
    { weight: 1, arbitrary: ODD_VALUE },
  );
}

function wanted(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map(near));
  if (Array.isArray(schema.type)) return fc.oneof(...schema.type.map((type) => wanted({ ...schema, type })));
  if (schema.type === 'null') return fc.constant(null);
  if (schema.type === 'boolean') return fc.boolean();
  const min = Math.max(schema.minimum ?? -10, -1e9);
  const max = Math.min(schema.maximum ?? 1_000, 1e9);
  if (schema.type === 'integer') return fc.integer({ min, max });
  if (schema.type === 'number') return fc.double({ min, max, noNaN: true });
  if (schema.type === 'array') return fc.array(near(schema.items ?? {}), { maxLength: 4 });
  if (schema.type === 'object' || schema.properties) return wantedObject(schema);
  if (schema.type !== 'string') return ODD_VALUE;
  if (schema.pattern?.includes('A-HJKMNP-TV-Z')) return fc.constant(taskId);
  return fc.oneof({ weight: 6, arbitrary: plausible() }, { weight: 1, arbitrary: ODD_TEXT });
}

function wantedObject({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, near(field)]));
  return fc.oneof(
    { weight: 8, arbitrary: fc.record(fields, { requiredKeys: required }) },
    { weight: 1, arbitrary: fc.record(fields, { requiredKeys: [] }) },
  );
}

/** A request to this operation with parameters and body near what it declares. */
function aRequest({ method, path, operation }: { method: string; path: string; operation: Operation }) {
  const body = operation.requestBody?.content['application/json']?.schema;
  const parameters = operation.parameters ?? [];
  const named = (place: string): Record<string, fc.Arbitrary<unknown>> =>
    Object.fromEntries(
      parameters.filter((one) => one.in === place).map((one) => [one.name, near(one.schema)]),
    );
  return fc.record({
    method: fc.constant(method),
    path: fc.constant(path),
    inPath: fc.record(named('path')),
    query: fc.record(named('query'), { requiredKeys: [] }),
    headers: fc.record(named('header'), { requiredKeys: [] }),
    body: body ? fc.option(near(body), { nil: undefined, freq: 20 }) : fc.constant(undefined),
    anonymous: fc.integer({ min: 0, max: 19 }).map((chance) => chance === 0),
  });
}

const inUrl = (value: unknown): string => encodeURIComponent(String(value).toWellFormed().slice(0, 2_000));
const inHeader = (value: unknown): string =>
  String(value)
    .replace(/[^\x21-\x7e]/g, '')
    .slice(0, 500);

/** A stream of a task that isn't at its end doesn't end either: it is left to the tests of streams. */
const operations = () => operationsOf(document).filter(({ path }) => !path.endsWith('/stream'));

describe('whatever is asked', () => {
  it('near the schemas, the answer is as declared and never a 5xx', async () => {
    const asked = fc.oneof(...operations().map(aRequest));
    await fc.assert(
      fc.asyncProperty(asked, async ({ method, path, inPath, query, headers, body, anonymous }) => {
        const url = path.replace(/\{([a-z_]+)\}/g, (_match, name: string) => inUrl(inPath[name]) || '%20');
        const search = Object.entries(query).map(([name, value]) => `${name}=${inUrl(value)}`);
        const { status } = await request(
          platform,
          method,
          `${url}${search.length > 0 ? `?${search.join('&')}` : ''}`,
          {
            ...(anonymous ? {} : path.includes('/runner/') ? {} : { key }),
            headers: {
              ...(path.includes('/runner/') && !anonymous ? { Authorization: `Bearer ${token}` } : {}),
              ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, inHeader(value)])),
            },
            ...(body === undefined ? {} : { body }),
          },
        );
        expect(status).toBeLessThan(500);
        // Channels have signatures of their own; here there are none.
        if (/^.v1.(?:slack|github)\//.test(path)) expect([400, 404]).toContain(status);
        // A signed delivery is read before its signature can be checked.
        else if (anonymous && path === '/v1/webhooks/tasks') expect([400, 401, 403, 415]).toContain(status);
        else if (anonymous && path.startsWith('/v1/')) expect(status).toBe(401);
      }),
      { numRuns: 1_000 },
    );
  });

  it('as garbage, the answer is an envelope and never a 5xx', async () => {
    const garbage = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'),
      path: fc.oneof(
        fc.constantFrom(...operations().map(({ path }) => path)),
        fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => `/v1/${encodeURI(text.toWellFormed())}`),
        fc.string({ maxLength: 30 }).map((text) => `/${text.replace(/[^\x21-\x7e]|[\\#]/g, '')}`),
      ),
      raw: fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      type: fc.constantFrom('application/json', 'text/plain', 'application/json; charset=utf-16', 'x'),
    });
    await fc.assert(
      fc.asyncProperty(garbage, async ({ method, path, raw, type }) => {
        const { status } = await request(platform, method, path.replace(/^\/+/, '/'), {
          key,
          headers: { 'Content-Type': type },
          ...(method === 'GET' ? {} : { raw: new Uint8Array(raw) }),
        });
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 500 },
    );
  });

  it('nothing of it crashed inside', () => {
    expect(platform.logged).not.toContain('api.request.crashed');
    expect(platform.logged).not.toContain('api.server.crashed');
  });
});
