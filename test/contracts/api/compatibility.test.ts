import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classify } from '../../../src/task/errors.ts';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';
import { aTask } from '../../fixtures/task.ts';

/** What clients in the field send and read: documents that stay as they are, whatever becomes of the code. */
const { requests, answers } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/api/contract.json'), 'utf8'),
) as { requests: Record<string, object>; answers: Record<string, object> };

/** Where `answer` lacks a field of the document, or has another kind of value; null may stand for any, either way. */
function differences(document: unknown, answer: unknown, path = ''): string[] {
  if (document === null || answer === null) return [];
  const kinds = [document, answer].map((value) => (Array.isArray(value) ? 'array' : typeof value));
  if (kinds[0] !== kinds[1]) return [`${path}: ${kinds[1]}, not ${kinds[0]}`];
  if (typeof document !== 'object' || Array.isArray(document)) return [];
  const given: Record<string, unknown> = Object.fromEntries(Object.entries(answer as object));
  return Object.entries(document).flatMap(([name, value]) =>
    name in given ? differences(value, given[name], `${path}.${name}`) : [`${path}.${name}: missing`],
  );
}

let platform: TestPlatform;
let key: string;
beforeAll(async () => {
  platform = await startTestPlatform({ agents: ['command'] });
  key = await platform.key('octo', ['admin']);
  await request(platform, 'PUT', '/v1/repos/octo%2Fhello', { key, body: {} });
});
afterAll(() => platform.close());

const submitted = async (): Promise<string> =>
  (await request(platform, 'POST', '/v1/tasks', { key, body: requests['a task by its description'] })).body
    .data.task_id;

/** The answer that each document is of. */
const ANSWERS: Record<string, () => Promise<unknown>> = {
  error: async () => (await request(platform, 'GET', '/v1/tasks/01ARZ3NDEKTSV4RRFFQ69G5FAV', { key })).body,
  page: async () => (await request(platform, 'GET', '/v1/tasks', { key })).body,
  task: async () => dataOf('GET', `/v1/tasks/${await submitted()}`),
  'failed task': async () => {
    const task = aTask({
      task_id: platform.deps.newId(),
      status: 'FAILED',
      error_message: 'exit code 1',
      error_classification: classify('AGENT_FAILED', 'exit code 1'),
    });
    await platform.deps.stores.tasks.create(task, []);
    return dataOf('GET', `/v1/tasks/${task.task_id}`);
  },
  'task summary': async () => {
    await submitted();
    return (await request(platform, 'GET', '/v1/tasks', { key })).body.data[0];
  },
  event: async () =>
    (await request(platform, 'GET', `/v1/tasks/${await submitted()}/events`, { key })).body.data[0],
  cancelled: async () => {
    // What proves the end comes while the request waits for it.
    const patient = await startTestPlatform({
      cancelWaitMs: 60_000,
      driver: { start: async () => undefined, wake: async (id) => void (await patient.end(id, 'CANCELLED')) },
    });
    const admin = await patient.key('octo', ['admin']);
    const body = { ...requests['a task by its description'], repo: '/srv/git/hello.git' };
    const { body: made } = await request(patient, 'POST', '/v1/tasks', { key: admin, body });
    const answer = await request(patient, 'DELETE', `/v1/tasks/${made.data.task_id}`, { key: admin });
    await patient.close();
    expect(answer.status).toBe(200);
    return answer.body.data;
  },
  cancelling: async () => {
    const { status, body } = await request(platform, 'DELETE', `/v1/tasks/${await submitted()}`, { key });
    expect(status).toBe(202);
    return body.data;
  },
  nudge: async () => dataOf('POST', `/v1/tasks/${await submitted()}/nudge`, { message: 'Go on' }),
  pending: () => dataOf('GET', '/v1/pending'),
  policies: () => dataOf('GET', '/v1/repos/octo%2Fhello/policies'),
  'created webhook': () => dataOf('POST', '/v1/webhooks', { name: 'ci' }),
  webhook: async () => {
    await request(platform, 'POST', '/v1/webhooks', { key, body: { name: 'ci' } });
    return (await request(platform, 'GET', '/v1/webhooks', { key })).body.data[0];
  },
  replay: async () => dataOf('GET', `/v1/tasks/${await submitted()}/replay`),
  repo: () => dataOf('GET', '/v1/repos/octo%2Fhello'),
};

async function dataOf(method: string, path: string, body?: object): Promise<unknown> {
  const answer = await request(platform, method, path, { key, body });
  expect(answer.status, answer.text).toBeLessThan(300);
  return answer.body.data;
}

describe('requests of clients in the field', () => {
  it.each(Object.keys(requests))('%s is taken', async (name) => {
    const { status, text } = await request(platform, 'POST', '/v1/tasks', { key, body: requests[name] });
    expect([status, text]).toEqual([201, expect.any(String)]);
  });

  it('may not hold what this version would silently leave out', async () => {
    for (const fields of [
      { attachments: [{ filename: 'a.txt' }] },
      { initial_approvals: ['git push'] },
      { approval_timeout_s: 29 },
    ]) {
      const body = { ...requests['a task by its description'], ...fields };
      const answer = await request(platform, 'POST', '/v1/tasks', { key, body });
      expect(answer.status).toBe(400);
      expect(answer.body.error.message).toContain(Object.keys(fields)[0]);
    }
  });
});

describe('answers to clients in the field', () => {
  it.each(Object.keys(answers))('have the fields of: %s', async (name) => {
    const answer = await ANSWERS[name]?.();
    expect(answer).toBeDefined();
    expect(differences(answers[name], answer)).toEqual([]);
  });

  it('would be found out when they lacked a field, or had another kind of it', () => {
    expect(differences({ a: 1, b: { c: 'x' } }, { a: '1', b: {} })).toEqual([
      '.a: string, not number',
      '.b.c: missing',
    ]);
  });
});
