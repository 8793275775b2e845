import {
  createWaitStrategy,
  type DurableContext,
  type DurableExecutionHandler,
  NestingType,
  StepSemantics,
  withRetry,
} from '@aws/durable-execution-sdk-js';

/** What is done from outside of the execution, in this order, each a moment after the callback is there. */
export interface Signal {
  /** Name of the callback, or of the `waitForCallback` that it belongs to. */
  callback: string;
  complete?: string;
  fail?: { ErrorType: string; ErrorMessage: string; ErrorData?: string };
  heartbeat?: true;
  afterMs?: number;
}

/** A workflow that every runtime must run alike. All take the same path at each run, and few seconds. */
export interface Workflow {
  name: string;
  input?: unknown;
  handler: DurableExecutionHandler;
  /** What it invokes, by the name under which it's registered. */
  children?: Record<string, DurableExecutionHandler>;
  outside?: readonly Signal[];
}

const never = () => ({ shouldRetry: false });
const twice = (_: Error, attempt: number) => ({ shouldRetry: attempt < 2, delay: { seconds: 1 } });
const fail =
  (message: string, name = 'Error') =>
  async () => {
    throw Object.assign(new Error(message), { name });
  };
const kindOf = (error: unknown) =>
  error instanceof Error
    ? { name: error.name, message: error.message, type: (error as { errorType?: string }).errorType }
    : String(error);
const caught = async (work: PromiseLike<unknown>) => {
  try {
    return { value: await work };
  } catch (error) {
    return kindOf(error);
  }
};
const untilTwo = createWaitStrategy<number>({
  shouldContinuePolling: (state) => state < 2,
  initialDelay: { seconds: 1 },
  maxDelay: { seconds: 1 },
});

const double: DurableExecutionHandler = async (n: number, ctx) => ctx.step('double', async () => n * 2);
const sleepy: DurableExecutionHandler = async (n: number, ctx) => {
  await ctx.wait('nap', { seconds: 1 });
  return n + 1;
};
const failing: DurableExecutionHandler = fail('the child fails', 'ChildTrouble');

export const workflows: readonly Workflow[] = [
  { name: 'a handler without operations', input: { a: 1 }, handler: async (input) => ({ got: input }) },
  { name: 'a handler that returns nothing', handler: async () => undefined },
  { name: 'a handler without input', handler: async (input) => input },
  { name: 'a handler that throws', handler: fail('no way', 'Trouble') },
  { name: 'a handler that throws no error', handler: () => Promise.reject('plain') },

  { name: 'a step', handler: async (_, ctx) => ctx.step('one', async () => ({ deep: [1, null, 'ä'] })) },
  { name: 'a step without a name', handler: async (_, ctx) => ctx.step(async () => 1) },
  {
    name: 'a step that returns nothing',
    handler: async (_, ctx) => ({ got: (await ctx.step('void', async () => undefined)) ?? null }),
  },
  {
    name: 'steps that pass results on',
    input: 2,
    async handler(n: number, ctx) {
      const a = await ctx.step('a', async () => n + 1);
      const b = await ctx.step('b', async () => a * 10);
      return ctx.step('c', async () => ({ a, b }));
    },
  },
  {
    name: 'a step that fails for good, caught',
    handler: async (_, ctx) => caught(ctx.step('bad', fail('broken', 'Trouble'), { retryStrategy: never })),
  },
  {
    name: 'a step that fails for good',
    handler: async (_, ctx) => ctx.step('bad', fail('broken', 'Trouble'), { retryStrategy: never }),
  },
  {
    name: 'a step that succeeds at its second attempt',
    handler: async (_, ctx) =>
      ctx.step(
        'flaky',
        async ({ attempt }: { attempt?: number }) => {
          if ((attempt ?? 1) < 2) throw new Error(`attempt ${attempt}`);
          return attempt;
        },
        { retryStrategy: twice },
      ),
  },
  {
    name: 'a step that uses up its attempts',
    handler: async (_, ctx) => ctx.step('hopeless', fail('still broken'), { retryStrategy: twice }),
  },
  {
    name: 'a step at most once',
    handler: async (_, ctx) =>
      ctx.step('once', async () => 'done', { semantics: StepSemantics.AtMostOncePerRetry }),
  },
  {
    name: 'a step at most once that is retried',
    handler: async (_, ctx) =>
      ctx.step(
        'once',
        async ({ attempt }: { attempt?: number }) => {
          if ((attempt ?? 1) < 2) throw new Error('again');
          return attempt;
        },
        { semantics: StepSemantics.AtMostOncePerRetry, retryStrategy: twice },
      ),
  },
  {
    name: 'a step with its own serdes',
    handler: async (_, ctx) =>
      ctx.step('own', async () => 'value', {
        serdes: { serialize: async (value) => `<${value}>`, deserialize: async (data) => data?.slice(1, -1) },
      }),
  },
  {
    name: 'a step with a large result',
    handler: async (_, ctx) => (await ctx.step('large', async () => 'x'.repeat(200_000))).length,
  },
  {
    name: 'steps side by side',
    handler: async (_, ctx) => Promise.all([1, 2, 3].map((n) => ctx.step(`step ${n}`, async () => n))),
  },
  {
    name: 'withRetry around a step',
    handler: async (_, ctx) =>
      withRetry(
        ctx,
        'again',
        async (c: DurableContext, attempt: number) => {
          await c.step(`try ${attempt}`, async () => attempt);
          if (attempt < 2) throw new Error('not yet');
          return attempt;
        },
        { retryStrategy: twice },
      ),
  },

  { name: 'a wait', handler: async (_, ctx) => ctx.wait('pause', { seconds: 1 }) },
  {
    name: 'waits and steps in turn',
    async handler(_, ctx) {
      const before = await ctx.step('before', async () => 1);
      await ctx.wait({ seconds: 1 });
      const between = await ctx.step('between', async () => before + 1);
      await ctx.wait('again', { seconds: 1 });
      return between + 1;
    },
  },
  {
    name: 'waits of different lengths side by side',
    async handler(_, ctx) {
      await Promise.all([ctx.wait('short', { seconds: 1 }), ctx.wait('long', { seconds: 2 })]);
      return 'both';
    },
  },

  {
    name: 'a callback that is completed',
    async handler(_, ctx) {
      const [answer] = await ctx.createCallback('approval', { timeout: { minutes: 5 } });
      return { answer: await answer };
    },
    outside: [{ callback: 'approval', complete: 'yes' }],
  },
  {
    name: 'a callback that is failed',
    async handler(_, ctx) {
      const [answer] = await ctx.createCallback('approval');
      return caught(answer);
    },
    outside: [
      { callback: 'approval', fail: { ErrorType: 'Denied', ErrorMessage: 'no', ErrorData: '{"by":"octo"}' } },
    ],
  },
  {
    name: 'a callback that times out',
    async handler(_, ctx) {
      const [answer] = await ctx.createCallback('approval', { timeout: { seconds: 1 } });
      return caught(answer);
    },
  },
  {
    name: 'a callback whose heartbeat stops',
    async handler(_, ctx) {
      const [answer] = await ctx.createCallback('worker', {
        timeout: { minutes: 5 },
        heartbeatTimeout: { seconds: 1 },
      });
      return caught(answer);
    },
  },
  {
    name: 'a callback that heartbeats keep open',
    async handler(_, ctx) {
      const [answer] = await ctx.createCallback('worker', { heartbeatTimeout: { seconds: 1 } });
      return answer;
    },
    outside: [
      { callback: 'worker', heartbeat: true, afterMs: 600 },
      { callback: 'worker', heartbeat: true, afterMs: 600 },
      { callback: 'worker', complete: 'still here', afterMs: 600 },
    ],
  },
  {
    name: 'two callbacks completed in the other order',
    async handler(_, ctx) {
      const [first] = await ctx.createCallback('first');
      const [second] = await ctx.createCallback('second');
      return [await first, await second];
    },
    outside: [
      { callback: 'second', complete: '2' },
      { callback: 'first', complete: '1', afterMs: 200 },
    ],
  },
  {
    name: 'waitForCallback',
    async handler(_, ctx) {
      const got = await ctx.waitForCallback('agent', async () => undefined, { timeout: { hours: 1 } });
      return ctx.step('after', async () => `got ${got}`);
    },
    outside: [{ callback: 'agent', complete: '{"pr":1}' }],
  },
  {
    name: 'waitForCallback that fails',
    handler: async (_, ctx) => ctx.waitForCallback('agent', async () => undefined),
    outside: [{ callback: 'agent', fail: { ErrorType: 'Lost', ErrorMessage: 'the agent is gone' } }],
  },
  {
    name: 'waitForCallback that times out',
    handler: async (_, ctx) =>
      caught(ctx.waitForCallback('agent', async () => undefined, { timeout: { seconds: 1 } })),
  },
  {
    name: 'waitForCallback whose submitter fails',
    handler: async (_, ctx) =>
      caught(ctx.waitForCallback('agent', fail('not submitted'), { retryStrategy: never })),
  },
  {
    name: 'waitForCallback with its own serdes',
    handler: async (_, ctx) =>
      ctx.waitForCallback<{ n: number }>('agent', async () => undefined, {
        serdes: {
          deserialize: async (data) => JSON.parse(data ?? 'null'),
        },
      }),
    outside: [{ callback: 'agent', complete: '{"n":7}' }],
  },

  {
    name: 'a condition that holds at once',
    handler: async (_, ctx) =>
      ctx.waitForCondition('ready', async (n: number) => n + 2, { initialState: 0, waitStrategy: untilTwo }),
  },
  {
    name: 'a condition that holds at the second look',
    handler: async (_, ctx) =>
      ctx.waitForCondition('ready', async (n: number) => n + 1, { initialState: 0, waitStrategy: untilTwo }),
  },
  {
    name: 'a condition whose check fails',
    handler: async (_, ctx) =>
      caught(
        ctx.waitForCondition('ready', fail('can not look'), { initialState: 0, waitStrategy: untilTwo }),
      ),
  },

  {
    name: 'parallel branches',
    handler: async (_, ctx) =>
      (
        await ctx.parallel('both', [
          async (c: DurableContext) => c.step('left', async () => 'l'),
          { name: 'right', func: async (c: DurableContext) => c.step('right', async () => 'r') },
        ])
      ).getResults(),
  },
  {
    name: 'parallel with a branch that fails',
    async handler(_, ctx) {
      const batch = await ctx.parallel('both', [
        async (c: DurableContext) => c.step('good', async () => 1),
        async (c: DurableContext) => c.step('bad', fail('broken'), { retryStrategy: never }),
      ]);
      return {
        reason: batch.completionReason,
        errors: batch.getErrors().map(kindOf),
        ok: batch.successCount,
      };
    },
  },
  {
    name: 'parallel, one after the other',
    handler: async (_, ctx) =>
      (
        await ctx.parallel(
          'queue',
          [1, 2, 3].map((n) => async (c: DurableContext) => c.step(`n${n}`, async () => n)),
          { maxConcurrency: 1 },
        )
      ).getResults(),
  },
  {
    name: 'parallel branches that wait',
    handler: async (_, ctx) =>
      (
        await ctx.parallel(
          'waits',
          [1, 2].map((n) => async (c: DurableContext) => {
            await c.wait(`w${n}`, { seconds: n });
            return c.step(`after ${n}`, async () => n);
          }),
        )
      ).getResults(),
  },
  {
    name: 'parallel until one succeeds',
    async handler(_, ctx) {
      const batch = await ctx.parallel(
        'first',
        [
          async (c: DurableContext) => c.step('quick', async () => 'quick'),
          async (c: DurableContext) => {
            await c.wait('slow', { seconds: 5 });
            return 'slow';
          },
        ],
        { completionConfig: { minSuccessful: 1 } },
      );
      return { reason: batch.completionReason, ok: batch.successCount };
    },
  },

  {
    name: 'map over items',
    handler: async (_, ctx) =>
      (await ctx.map('all', [1, 2, 3], async (c, n) => c.step(`n${n}`, async () => n * n))).getResults(),
  },
  {
    name: 'map over nothing',
    handler: async (_, ctx) => (await ctx.map('none', [], async () => 1)).completionReason,
  },
  {
    name: 'map that tolerates a failure',
    async handler(_, ctx) {
      const batch = await ctx.map(
        'some',
        [1, 2, 3],
        async (c, n) => c.step(`n${n}`, n === 2 ? fail('two') : async () => n, { retryStrategy: never }),
        { completionConfig: { toleratedFailureCount: 1 } },
      );
      return { reason: batch.completionReason, status: batch.status, ok: batch.getResults() };
    },
  },
  {
    name: 'map that does not tolerate failures',
    async handler(_, ctx) {
      const batch = await ctx.map(
        'strict',
        [1, 2],
        async (c, n) => c.step(`n${n}`, fail(`item ${n}`), { retryStrategy: never }),
        {
          completionConfig: { toleratedFailureCount: 0 },
          maxConcurrency: 1,
        },
      );
      batch.throwIfError();
    },
  },
  {
    name: 'map without contexts of its own',
    handler: async (_, ctx) =>
      (
        await ctx.map('flat', [1, 2], async (c, n) => c.step(`n${n}`, async () => n + 1), {
          nesting: NestingType.FLAT,
        })
      ).getResults(),
  },
  {
    name: 'map with results too large to keep, replayed',
    async handler(_, ctx) {
      const batch = await ctx.map('large', [1, 2, 3], async (c, n) =>
        c.step(`n${n}`, async () => String(n).repeat(100_000)),
      );
      await ctx.wait('replay', { seconds: 1 });
      return batch.getResults().map((result) => result.length);
    },
  },
  {
    name: 'map over callbacks',
    handler: async (_, ctx) =>
      (
        await ctx.map('asks', ['a', 'b'], async (c, name) => c.waitForCallback(name, async () => undefined))
      ).getResults(),
    outside: [
      { callback: 'a', complete: 'A' },
      { callback: 'b', complete: 'B', afterMs: 200 },
    ],
  },

  {
    name: 'a child context',
    async handler(_, ctx) {
      const inner = await ctx.runInChildContext('child', async (c) => {
        const a = await c.step('a', async () => 1);
        return c.step('b', async () => a + 1);
      });
      return ctx.step('after', async () => inner + 1);
    },
  },
  {
    name: 'a child context that fails',
    handler: async (_, ctx) =>
      caught(
        ctx.runInChildContext('child', async (c) =>
          c.step('bad', fail('inside', 'Trouble'), { retryStrategy: never }),
        ),
      ),
  },
  {
    name: 'child contexts in child contexts, with a wait',
    handler: async (_, ctx) =>
      ctx.runInChildContext('outer', async (outer) => {
        const deep = await outer.runInChildContext('middle', async (middle) =>
          middle.runInChildContext('inner', async (inner) => {
            await inner.wait('deep', { seconds: 1 });
            return inner.step('leaf', async () => 'leaf');
          }),
        );
        return outer.step('outer step', async () => `${deep}!`);
      }),
  },
  {
    name: 'a child context with a result too large to keep, replayed',
    async handler(_, ctx) {
      const large = await ctx.runInChildContext('large', async (c) => {
        const part = await c.step('part', async () => 'y'.repeat(150_000));
        return part + part;
      });
      await ctx.wait('replay', { seconds: 1 });
      return large.length;
    },
  },
  {
    name: 'a child context that is over before a wait',
    async handler(_, ctx) {
      const inner = await ctx.runInChildContext('child', async (c) => c.step('a', async () => 1));
      await ctx.wait('pause', { seconds: 1 });
      return inner;
    },
  },

  {
    name: 'promise.all',
    handler: async (_, ctx) =>
      ctx.promise.all('all', [ctx.step('a', async () => 1), ctx.step('b', async () => 2)]),
  },
  {
    name: 'promise.all with a failure',
    handler: async (_, ctx) =>
      caught(
        ctx.promise.all('all', [
          ctx.step('a', async () => 1),
          ctx.step('b', fail('b'), { retryStrategy: never }),
        ]),
      ),
  },
  {
    name: 'promise.allSettled',
    handler: async (_, ctx) =>
      (
        await ctx.promise.allSettled('settled', [
          ctx.step('a', async () => 1),
          ctx.step('b', fail('b'), { retryStrategy: never }),
        ])
      ).map(({ status }) => status),
  },
  {
    name: 'promise.any',
    handler: async (_, ctx) =>
      ctx.promise.any('any', [
        ctx.step('a', fail('a'), { retryStrategy: never }),
        ctx.step('b', async () => 2),
      ]),
  },
  {
    name: 'promise.race of a wait and a callback',
    async handler(_, ctx) {
      const [answer] = await ctx.createCallback('answer');
      return ctx.promise.race<unknown>('race', [answer, ctx.wait('too long', { seconds: 5 })]);
    },
    outside: [{ callback: 'answer', complete: 'in time' }],
  },

  {
    name: 'invoking another handler',
    handler: async (_, ctx) => ctx.invoke('call', 'double', 21),
    children: { double },
  },
  {
    name: 'invoking a handler that waits',
    handler: async (_, ctx) => ctx.invoke('call', 'sleepy', 1),
    children: { sleepy },
  },
  {
    name: 'invoking a handler that fails',
    handler: async (_, ctx) => caught(ctx.invoke('call', 'failing')),
    children: { failing },
  },
  {
    name: 'invoking handlers one after the other',
    async handler(_, ctx) {
      const first = await ctx.invoke<number, number>('double', 1);
      return ctx.invoke<number, number>('sleepy', first);
    },
    children: { double, sleepy },
  },
  {
    name: 'a step that takes its time beside a callback that times out',
    async handler(_, ctx) {
      const [answer] = await ctx.createCallback('answer', { timeout: { seconds: 1 } });
      await ctx.step('busy', () => new Promise((resolve) => setTimeout(resolve, 1_500)));
      return caught(answer);
    },
  },
  {
    name: 'a replay that takes another path',
    async handler(_, ctx) {
      let isReplay = true;
      await ctx.step('live', async () => {
        isReplay = false;
      });
      await ctx.step(isReplay ? 'another name' : 'one name', async () => 1);
      await ctx.wait({ seconds: 1 });
    },
  },
  {
    name: 'a result too large for an answer',
    handler: async () => 'z'.repeat(7_000_000),
  },
];
