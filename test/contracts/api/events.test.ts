import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventStream } from '../../../src/api/stream.ts';
import type { EventStore } from '../../../src/stores/event-store.ts';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';

let platform: TestPlatform;
let key: string;
beforeAll(async () => {
  platform = await startTestPlatform({ pingIntervalMs: 30 });
  key = await platform.key('octo');
});
afterAll(() => platform.close());

async function submit(): Promise<string> {
  const { body } = await request(platform, 'POST', '/v1/tasks', {
    key,
    body: { repo: '/srv/git/hello.git', task_description: 'Add a greeting' },
  });
  return body.data.task_id;
}

const tell = (taskId: string, turns: number[]) =>
  platform.deps.stores.events.appendReported(
    taskId,
    1,
    turns.map((turn) => ({
      seq: turn,
      event: { type: 'agent_turn', metadata: { turn, preview: 'grüße\n' } },
      timestamp: '2030-01-01T00:00:00.000Z',
    })),
  );

interface Message {
  id: string | undefined;
  data: { event_id: string; event_type: string; metadata: Record<string, unknown> };
}

/** Reads a stream until it ends, or until it has said `enough` messages. */
async function follow(
  taskId: string,
  {
    headers = {},
    query = '',
    enough = Number.POSITIVE_INFINITY,
    onMessage = () => undefined,
  }: {
    headers?: Record<string, string>;
    query?: string;
    enough?: number;
    onMessage?: (message: Message) => void;
  } = {},
): Promise<{ messages: Message[]; comments: string[] }> {
  const leave = new AbortController();
  const response = await fetch(`${platform.url}/v1/tasks/${taskId}/stream${query}`, {
    headers: { 'X-API-Key': key, ...headers },
    signal: leave.signal,
  });
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const messages: Message[] = [];
  const comments: string[] = [];
  const parser = createParser({
    onEvent: ({ id, data }) => {
      const message = { id, data: JSON.parse(data) };
      messages.push(message);
      onMessage(message);
    },
    onComment: (comment) => comments.push(comment.trim()),
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (messages.length >= enough) break;
  }
  leave.abort();
  return { messages, comments };
}

const typesOf = (messages: Message[]) => messages.map(({ data }) => data.event_type);

describe('a stream', () => {
  it('tells what was before and what comes, in order, and ends after the terminal event', async () => {
    const taskId = await submit();
    await tell(taskId, [1]);
    const { messages } = await follow(taskId, {
      onMessage: ({ data }) => {
        if (data.event_type === 'agent_turn' && data.metadata.turn === 1) void tell(taskId, [2, 3]);
        if (data.metadata.turn === 3) void platform.end(taskId);
      },
    });
    expect(typesOf(messages)).toEqual([
      'task_created',
      'agent_turn',
      'agent_turn',
      'agent_turn',
      'task_failed',
    ]);
    for (const { id, data } of messages) expect(id).toBe(data.event_id);
  });

  it.each(['header', 'query'])('resumes after the last event that was seen, by %s', async (by) => {
    const taskId = await submit();
    await tell(taskId, [1, 2]);
    const { messages } = await follow(taskId, { enough: 2 });
    await platform.end(taskId);
    const last = messages[1]?.id ?? '';
    const rest = await follow(
      taskId,
      by === 'header' ? { headers: { 'Last-Event-ID': last } } : { query: `?after=${last}` },
    );
    expect(typesOf(rest.messages)).toEqual(['agent_turn', 'task_failed']);
  });

  it('of an ended task ends at once, also when everything was seen', async () => {
    const taskId = await submit();
    await platform.end(taskId);
    const { messages } = await follow(taskId);
    expect(typesOf(messages)).toEqual(['task_created', 'task_failed']);
    const nothing = await follow(taskId, { headers: { 'Last-Event-ID': messages[1]?.id ?? '' } });
    expect(nothing.messages).toEqual([]);
  });

  it('pings while nothing happens', async () => {
    const taskId = await submit();
    setTimeout(() => void platform.end(taskId), 150);
    const { comments } = await follow(taskId);
    expect(comments.filter((comment) => comment === 'ping').length).toBeGreaterThan(0);
  });

  it('hands hundreds of events to ten readers, each once and in order', async () => {
    const taskId = await submit();
    const readers = Array.from({ length: 10 }, () => follow(taskId));
    for (let batch = 0; batch < 10; batch += 1)
      await tell(
        taskId,
        Array.from({ length: 30 }, (_, index) => batch * 30 + index),
      );
    await platform.end(taskId);
    for (const { messages } of await Promise.all(readers)) {
      expect(messages).toHaveLength(302);
      expect(messages.slice(1, -1).map(({ data }) => data.metadata.turn)).toEqual(
        Array.from({ length: 300 }, (_, index) => index),
      );
    }
  });

  it('ends when the platform closes, so that readers can go elsewhere', async () => {
    const closing = new AbortController();
    const other = await startTestPlatform({ closing: closing.signal });
    try {
      const own = await other.key('octo');
      const { body } = await request(other, 'POST', '/v1/tasks', {
        key: own,
        body: { repo: '/srv/git/hello.git', task_description: 'Add a greeting' },
      });
      const response = await fetch(`${other.url}/v1/tasks/${body.data.task_id}/stream`, {
        headers: { 'X-API-Key': own },
      });
      setTimeout(() => closing.abort(), 50);
      expect(await response.text()).toContain('task_created');
    } finally {
      await other.close();
    }
  });

  it('holds on to nothing when nobody reads: after HEAD, a reader who left, the end', async () => {
    const { events } = platform.deps.stores;
    const { subscribe } = events;
    let [begun, open] = [0, 0];
    const closed = Promise.withResolvers<void>();
    events.subscribe = (taskId, onAppended) => {
      const stop = subscribe(taskId, onAppended);
      begun += 1;
      open += 1;
      return () => {
        stop();
        open -= 1;
        if (open === 0 && begun === 2) closed.resolve();
      };
    };
    try {
      const taskId = await submit();
      const { status, text } = await request(platform, 'HEAD', `/v1/tasks/${taskId}/stream`, { key });
      expect([status, text, begun]).toEqual([200, '', 0]);
      await follow(taskId, { enough: 1 });
      await platform.end(taskId);
      await follow(taskId);
      await closed.promise;
    } finally {
      events.subscribe = subscribe;
    }
  });

  it('fails with its store, and holds on to nothing then', async () => {
    const { events, tasks } = platform.deps.stores;
    let open = 0;
    const broken: EventStore = {
      ...events,
      list: async () => Promise.reject(new Error('disk on fire')),
      subscribe() {
        open += 1;
        return () => {
          open -= 1;
        };
      },
    };
    const options = { taskId: await submit(), after: undefined, pingIntervalMs: 1_000 };
    const reader = eventStream({ stores: { events: broken, tasks }, ...options }).getReader();
    await reader.read();
    await expect(reader.read()).rejects.toThrow('disk on fire');
    expect(open).toBe(0);
  });

  it('reads on only when its reader does', async () => {
    const { events, tasks } = platform.deps.stores;
    const taskId = await submit();
    await tell(
      taskId,
      Array.from({ length: 250 }, (_, turn) => turn),
    );
    let pages = 0;
    const counting: EventStore = {
      ...events,
      list: (...query) => {
        pages += 1;
        return events.list(...query);
      },
    };
    const stream = eventStream({
      stores: { events: counting, tasks },
      taskId,
      after: undefined,
      pingIntervalMs: 1_000,
    });
    const reader = stream.getReader();
    await reader.read();
    expect(pages).toBe(0);
    await reader.read();
    // Whatever it would do by itself is done by the time another page has been read.
    await events.list(taskId, { limit: 100 });
    expect(pages).toBe(1);
    await reader.cancel();
  });

  it.each([
    [{ 'Last-Event-ID': 'nonsense' }, ''],
    [{}, '?after=nonsense'],
  ])('refuses a cursor that is no event id: %o%s', async (headers, query) => {
    const { status, code } = await request(platform, 'GET', `/v1/tasks/${await submit()}/stream${query}`, {
      key,
      headers,
    });
    expect([status, code]).toEqual([400, 'VALIDATION_ERROR']);
  });
});

describe('the list of events', () => {
  const turnsOf = (data: { metadata: { turn?: number } }[]) => data.map(({ metadata }) => metadata.turn ?? 0);

  it('is read page by page, from both ends', async () => {
    const taskId = await submit();
    await tell(taskId, [1, 2, 3, 4]);
    const read = async (query: string) =>
      (await request(platform, 'GET', `/v1/tasks/${taskId}/events?${query}`, { key })).body;
    const first = await read('limit=2');
    expect(turnsOf(first.data)).toEqual([0, 1]);
    expect(first.pagination.has_more).toBe(true);
    const second = await read(`limit=100&next_token=${first.pagination.next_token}`);
    expect(turnsOf(second.data)).toEqual([2, 3, 4]);
    expect(second.pagination).toEqual({ next_token: null, has_more: false });
    const newest = await read('limit=2&desc=1');
    expect(turnsOf(newest.data)).toEqual([4, 3]);
    expect(turnsOf((await read(`desc=1&next_token=${newest.pagination.next_token}`)).data)).toEqual([
      2, 1, 0,
    ]);
    const after = await read(`after=${second.data[0].event_id}&next_token=${first.pagination.next_token}`);
    expect(turnsOf(after.data)).toEqual([3, 4]);
  });

  it.each(['limit=101', 'after=x', 'next_token=x', 'desc=maybe'])('refuses ?%s', async (query) => {
    const { status, body } = await request(platform, 'GET', `/v1/tasks/${await submit()}/events?${query}`, {
      key,
    });
    expect(status).toBe(400);
    expect(body.error.message).toContain(query.split('=')[0]);
  });
});
