import { expect, it } from 'vitest';
import { createEventReaders } from './event-readers.ts';
import { createEventWatch } from './event-watch.ts';
import type { Item } from './values.ts';

it('tells readers of what others added, looks only while somebody reads, and outlives a failure', async () => {
  let last: string | Error = '1';
  let looks = 0;
  const failures: unknown[] = [];
  const subscribe = createEventWatch({
    dynamo: {
      async get(): Promise<Item> {
        looks += 1;
        if (last instanceof Error) throw last;
        return { _last_event_id: { S: last } };
      },
    },
    readers: createEventReaders(),
    watchMs: 1,
    onError: (error) => void failures.push(error),
  });
  let told = 0;
  const stops = [1, 2].map(() =>
    subscribe('task', () => {
      told += 1;
    }),
  );
  await expect.poll(() => told).toBe(2);
  last = new Error('no network');
  await expect.poll(() => failures.length).toBeGreaterThan(0);
  last = '2';
  await expect.poll(() => told).toBe(4);
  for (const stop of [...stops, ...stops]) stop();
  const after = looks;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(looks).toBe(after);
});
